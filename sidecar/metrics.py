"""Owns the counters and their exposition in Prometheus text.

Must not grow without bound: labels that a caller can make come from closed sets, and past the
bound a series is counted under `other`. prometheus-client would cost 14 MB and 67 ms in every
pod and ten times the time a count; its parser checks this exposition in a test.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping

BUCKETS_US = (
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
)  # fmt: skip
# Together at most 500, with the gauges.
MAX_REQUEST_SERIES = 180
MAX_HISTOGRAMS = 8
MAX_DENIAL_SERIES = 40
MAX_ROUTING_SERIES = 30
MAX_CLUSTERS = 15

# The kinds of Kubernetes itself. Others are `other`: a path must not be able to make a label.
KNOWN_RESOURCES = frozenset(
    (
        "apiservices",
        "bindings",
        "certificatesigningrequests",
        "clusterrolebindings",
        "clusterroles",
        "componentstatuses",
        "configmaps",
        "controllerrevisions",
        "cronjobs",
        "csidrivers",
        "csinodes",
        "csistoragecapacities",
        "customresourcedefinitions",
        "daemonsets",
        "deployments",
        "endpoints",
        "endpointslices",
        "events",
        "flowschemas",
        "horizontalpodautoscalers",
        "ingressclasses",
        "ingresses",
        "ipaddresses",
        "jobs",
        "leases",
        "limitranges",
        "localsubjectaccessreviews",
        "mutatingwebhookconfigurations",
        "namespaces",
        "networkpolicies",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "poddisruptionbudgets",
        "pods",
        "podtemplates",
        "priorityclasses",
        "prioritylevelconfigurations",
        "replicasets",
        "replicationcontrollers",
        "resourceclaims",
        "resourceclaimtemplates",
        "resourcequotas",
        "resourceslices",
        "rolebindings",
        "roles",
        "runtimeclasses",
        "secrets",
        "selfsubjectaccessreviews",
        "selfsubjectreviews",
        "selfsubjectrulesreviews",
        "serviceaccounts",
        "servicecidrs",
        "services",
        "statefulsets",
        "storageclasses",
        "subjectaccessreviews",
        "tokenreviews",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
        "volumeattachments",
        "volumeattributesclasses",
    )
)


class Counter:
    """A number that only grows; `value` is public, since adding to it is on the hot path."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Histogram:
    """Durations in microseconds."""

    __slots__ = ("counts", "total_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_US) + 1)
        self.total_us = 0

    def observe(self, duration_us: int) -> None:
        self.counts[bisect_left(BUCKETS_US, duration_us)] += 1
        self.total_us += duration_us


class Metrics:
    """All the numbers of one sidecar."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, str, int], Counter] = {}
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._denials: dict[str, Counter] = {}
        self._routings: dict[tuple[str, str], Counter] = {}
        self.shed = Counter()
        self.upstream_opened = Counter()
        self.upstream_resumed = Counter()
        self.credential_reloads = Counter()
        self._gauges: list[tuple[str, str, str, Callable[[], dict[str, float]]]] = []

    def requests(self, cluster: str, resource: str, verb: str, code: int) -> Counter:
        """The counter of one kind of answer."""
        key = (cluster, resource if resource in KNOWN_RESOURCES else "other", verb, code)
        found = self._requests.get(key)
        if found is None:
            if len(self._requests) >= MAX_REQUEST_SERIES:
                key = ("other", "other", "other", code // 100 * 100)
            found = self._requests.setdefault(key, Counter())
        return found

    def durations(self, cluster: str, *, stream: bool) -> Histogram:
        """The histogram of one cluster's answers; streams last as long as they like."""
        key = (cluster, "stream" if stream else "call")
        found = self._durations.get(key)
        if found is None:
            if len(self._durations) >= MAX_HISTOGRAMS:
                key = ("other", key[1])
            found = self._durations.setdefault(key, Histogram())
        return found

    def denials(self, reason: str) -> Counter:
        """The counter of one reason of refusal: a rule's name."""
        found = self._denials.get(reason)
        if found is None:
            if len(self._denials) >= MAX_DENIAL_SERIES:
                reason = "other"
            found = self._denials.setdefault(reason, Counter())
        return found

    def routings(self, route: str, cluster: str) -> Counter:
        """The counter of one route's decisions for one cluster."""
        key = (route, cluster)
        found = self._routings.get(key)
        if found is None:
            if len(self._routings) >= MAX_ROUTING_SERIES:
                key = ("other", "other")
            found = self._routings.setdefault(key, Counter())
        return found

    def gauge(
        self, name: str, text: str, read: Callable[[], dict[str, float]], *, kind: str = "gauge"
    ) -> None:
        """Add what is read when it is scraped: label text to value."""
        self._gauges.append((name, kind, text, read))

    def render(self) -> bytes:
        """The exposition in Prometheus text format 0.0.4."""
        return "".join(f"{line}\n" for line in self._lines()).encode()

    def _lines(self) -> Iterator[str]:
        yield from _head("mca_requests_total", "counter", "Calls answered.")
        for (cluster, resource, verb, code), counter in sorted(self._requests.items()):
            labels = f'cluster="{cluster}",resource="{resource}",verb="{verb}",code="{code}"'
            yield f"mca_requests_total{{{labels}}} {counter.value}"
        yield from _head("mca_request_duration_seconds", "histogram", "Time to the last byte.")
        for (cluster, kind), histogram in sorted(self._durations.items()):
            yield from _histogram(f'cluster="{cluster}",kind="{kind}"', histogram)
        yield from _head("mca_denials_total", "counter", "Calls refused, by rule.")
        for reason, counter in sorted(self._denials.items()):
            yield f'mca_denials_total{{reason="{reason}"}} {counter.value}'
        yield from _head("mca_routing_decisions_total", "counter", "Calls sent to a cluster.")
        for (route, cluster), counter in sorted(self._routings.items()):
            labels = f'route="{route}",cluster="{cluster}"'
            yield f"mca_routing_decisions_total{{{labels}}} {counter.value}"
        for name, text, single in (
            ("mca_shed_total", "Calls refused to save memory or descriptors.", self.shed),
            ("mca_upstream_opened_total", "Connections opened upstream.", self.upstream_opened),
            ("mca_upstream_resumed_total", "Of those, resumed sessions.", self.upstream_resumed),
            ("mca_credential_reloads_total", "Credentials read anew.", self.credential_reloads),
        ):
            yield from _head(name, "counter", text)
            yield f"{name} {single.value}"
        for name, kind, text, read in self._gauges:
            yield from _head(name, kind, text)
            for labels, value in sorted(read().items()):
                yield f"{name}{{{labels}}} {value:g}" if labels else f"{name} {value:g}"


def by_cluster(
    values: Mapping[str, float], join: Callable[[Iterable[float]], float]
) -> dict[str, float]:
    """Labels and values of a gauge for each cluster; those past the bound are joined into one."""
    names = sorted(values)
    found = {f'cluster="{name}"': values[name] for name in names[:MAX_CLUSTERS]}
    if len(names) > MAX_CLUSTERS:
        found['cluster="other"'] = join(values[name] for name in names[MAX_CLUSTERS:])
    return found


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _histogram(labels: str, histogram: Histogram) -> Iterator[str]:
    name = "mca_request_duration_seconds"
    total = 0
    for bound, count in zip(BUCKETS_US, histogram.counts, strict=False):
        total += count
        yield f'{name}_bucket{{{labels},le="{bound / 1e6:g}"}} {total}'
    total += histogram.counts[-1]
    yield f'{name}_bucket{{{labels},le="+Inf"}} {total}'
    yield f"{name}_sum{{{labels}}} {histogram.total_us / 1e6:.6f}"
    yield f"{name}_count{{{labels}}} {total}"
