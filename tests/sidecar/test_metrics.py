"""The exposition as Prometheus' own parser reads it, and its bound."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings, strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from sidecar.metrics import (
    BUCKETS_US,
    KNOWN_RESOURCES,
    MAX_CLUSTERS,
    Histogram,
    Metrics,
    by_cluster,
)

MAX_SERIES = 500


def scrape(metrics: Metrics) -> dict[str, Metric]:
    families = list(text_string_to_metric_families(metrics.render().decode()))
    found = {family.name: family for family in families}
    assert len(found) == len(families), "a family is told of twice"
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float:
    samples = [sample for family in scrape(metrics).values() for sample in family.samples]
    found = [sample for sample in samples if sample.name == name and sample.labels == labels]
    assert len(found) == 1, found
    return found[0].value


def count_series(metrics: Metrics) -> int:
    lines = metrics.render().decode().splitlines()
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(set(series)) == len(series), "a series is told of twice"
    parsed = sum(len(family.samples) for family in scrape(metrics).values())
    assert parsed == len(series)
    return parsed


def test_a_new_sidecar_tells_of_every_family() -> None:
    found = scrape(Metrics())
    assert {(family.name, family.type) for family in found.values()} == {
        ("mca_requests", "counter"),
        ("mca_request_duration_seconds", "histogram"),
        ("mca_denials", "counter"),
        ("mca_routing_decisions", "counter"),
        ("mca_shed", "counter"),
        ("mca_upstream_opened", "counter"),
        ("mca_upstream_resumed", "counter"),
        ("mca_credential_reloads", "counter"),
    }
    assert all(family.documentation for family in found.values())


def test_counters() -> None:
    metrics = Metrics()
    metrics.requests("home", "pods", "list", 200).value += 2
    metrics.requests("home", "pods", "list", 200).value += 1
    metrics.requests("home", "pods", "list", 404).value += 1
    metrics.denials("guard/exec").value += 4
    metrics.routings("home", "home").value += 5
    metrics.routings("home", "home").value += 1
    metrics.shed.value += 6
    labels = {"cluster": "home", "resource": "pods", "verb": "list"}
    assert value(metrics, "mca_requests_total", **labels, code="200") == 3
    assert value(metrics, "mca_requests_total", **labels, code="404") == 1
    assert value(metrics, "mca_denials_total", reason="guard/exec") == 4
    assert value(metrics, "mca_routing_decisions_total", route="home", cluster="home") == 6
    assert value(metrics, "mca_shed_total") == 6


@pytest.mark.parametrize("resource", ["", "widgets", 'a"b', "a\nb", "Pods", "pods/exec"])
def test_a_path_makes_no_label(resource: str) -> None:
    metrics = Metrics()
    metrics.requests("home", resource, "get", 200).value += 1
    labels = {"cluster": "home", "resource": "other", "verb": "get", "code": "200"}
    assert value(metrics, "mca_requests_total", **labels) == 1


@given(st.lists(st.integers(0, 10**9), max_size=30))
def test_a_histogram_counts_each_duration_once(durations_us: list[int]) -> None:
    metrics = Metrics()
    histogram = metrics.durations("home", stream=False)
    for duration_us in durations_us:
        histogram.observe(duration_us)
    family = scrape(metrics)["mca_request_duration_seconds"]
    samples = {(sample.name, sample.labels.get("le")): sample for sample in family.samples}
    assert all(sample.labels["kind"] == "call" for sample in family.samples)
    for bound_us in BUCKETS_US:
        sample = samples["mca_request_duration_seconds_bucket", f"{bound_us / 1e6:g}"]
        assert sample.value == sum(duration <= bound_us for duration in durations_us)
    assert samples["mca_request_duration_seconds_bucket", "+Inf"].value == len(durations_us)
    assert samples["mca_request_duration_seconds_count", None].value == len(durations_us)
    total = samples["mca_request_duration_seconds_sum", None].value
    assert total == pytest.approx(sum(durations_us) / 1e6)


def test_calls_and_streams_are_apart() -> None:
    metrics = Metrics()
    assert metrics.durations("home", stream=True) is not metrics.durations("home", stream=False)
    assert metrics.durations("home", stream=True) is metrics.durations("home", stream=True)


def test_gauges_are_read_when_they_are_scraped() -> None:
    metrics = Metrics()
    readings = {"": 1.0}
    metrics.gauge("mca_memory_bytes", "Memory in use.", lambda: readings)
    metrics.gauge("mca_idle", "By cluster.", lambda: {'cluster="a"': 2, 'cluster="b"': 0.5})
    assert value(metrics, "mca_memory_bytes") == 1
    readings[""] = 12345678.0
    assert value(metrics, "mca_memory_bytes") == pytest.approx(12345678, rel=1e-5)
    assert value(metrics, "mca_idle", cluster="b") == 0.5
    assert scrape(metrics)["mca_idle"].type == "gauge"


# The bound

NAMES = st.sampled_from([f"c{number}" for number in range(60)])
VERBS = st.sampled_from(["get", "list", "watch", "create", "update", "patch", "delete", "", "x"])
RESOURCES = st.sampled_from([*sorted(KNOWN_RESOURCES), "widgets"])
CALLS = st.lists(st.tuples(NAMES, RESOURCES, VERBS, st.integers(100, 599)), max_size=40)


def fill(metrics: Metrics, calls: Iterable[tuple[str, str, str, int]]) -> None:
    for cluster, resource, verb, code in calls:
        metrics.requests(cluster, resource, verb, code).value += 1
        metrics.durations(cluster, stream=verb == "watch").observe(code)
        metrics.denials(f"guard/{resource}-{verb}").value += 1


def tally(metrics: Metrics, family: str, suffix: str) -> float:
    return sum(
        sample.value for sample in scrape(metrics)[family].samples if sample.name.endswith(suffix)
    )


@settings(max_examples=20)
@given(CALLS)
def test_at_most_500_series_and_no_call_is_lost(calls: list[tuple[str, str, str, int]]) -> None:
    metrics = Metrics()
    every = [
        (f"c{index % 60}", resource, verb, 100 + index * 7 % 500)
        for verb in ("get", "watch", "list")
        for index, resource in enumerate(sorted(KNOWN_RESOURCES) * 3)
    ]
    fill(metrics, [*calls, *every, *calls])
    for index in range(1000):
        metrics.routings(f"r{index}", f"c{index % 60}").value += 1
    clusters = {f"c{index}": float(index) for index in range(256)}
    metrics.gauge("mca_upstream_connections", "x", lambda: by_cluster(clusters, sum))
    metrics.gauge("mca_cluster_health_status", "x", lambda: by_cluster(clusters, min))
    for index in range(8):
        metrics.gauge(f"mca_other_{index}", "x", lambda: {"": 1})
    assert count_series(metrics) <= MAX_SERIES
    assert tally(metrics, "mca_routing_decisions", "_total") == 1000
    assert tally(metrics, "mca_upstream_connections", "") == sum(range(256))
    count = len(every) + 2 * len(calls)
    assert tally(metrics, "mca_requests", "_total") == count
    assert tally(metrics, "mca_denials", "_total") == count
    assert tally(metrics, "mca_request_duration_seconds", "_count") == count


def test_clusters_past_the_bound_are_joined() -> None:
    many = {f"c{index:03}": float(index) for index in range(20)}
    assert by_cluster({"home": 1, "west": 0}, min) == {'cluster="home"': 1, 'cluster="west"': 0}
    joined = by_cluster(many, min)
    assert len(joined) == MAX_CLUSTERS + 1
    assert joined['cluster="other"'] == MAX_CLUSTERS


def test_what_was_counted_before_the_bound_goes_on() -> None:
    metrics = Metrics()
    early = metrics.requests("home", "pods", "get", 200)
    for code in range(1000):
        metrics.requests("home", "pods", "list", code)
    assert metrics.requests("home", "pods", "get", 200) is early
    late = metrics.requests("home", "pods", "get", 503)
    assert late is metrics.requests("other", "secrets", "create", 599)
    assert late is not metrics.requests("other", "secrets", "create", 404)


def test_a_duration_on_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram()
    histogram.observe(500)
    histogram.observe(501)
    histogram.observe(10**12)
    assert histogram.counts[:2] == [1, 1]
    assert histogram.counts[-1] == 1
    assert histogram.total_us == 10**12 + 1001
