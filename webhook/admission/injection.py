"""Owns injection: a pod in, the same pod with its sidecar out, or why not.

Pure: it reads nothing but what it is given, and leaves that as it was. It must not trust anything
in the pod that is named like ours: what injection makes is made anew each time, so that a second
pass changes nothing and a copied pod brings nothing along.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from webhook.admission.annotations import Tuning, parse_annotations
from webhook.admission.application import adapt_container, hides_account
from webhook.admission.boundary import list_breaches
from webhook.admission.capture import add_capture
from webhook.admission.json_patch import RawOperation, diff
from webhook.admission.names import (
    CLIENTS_VOLUME,
    CONTAINERS,
    SIDECAR,
    VOLUMES,
)
from webhook.admission.outcome import Injected, Namespace, RawObject, Refusal, Skip
from webhook.admission.pod_shape import find_problem
from webhook.admission.provision import Members
from webhook.admission.proxies import DIRECT, DIRECT_BY_NAME, find_warning
from webhook.admission.reserved import find_reserved
from webhook.admission.settings import InjectionSettings, Resources
from webhook.admission.sidecar_container import build_container, build_volumes
from webhook.admission.volumes import find_access_volumes, list_audiences, list_containers

_MIRROR: Final = "kubernetes.io/config.mirror"
_OS_LABEL: Final = "kubernetes.io/os"
# No node runs as many in one pod. In 3 MiB there is room for 240,000: 9 s and 870 MB without this.
_MAX_CONTAINERS: Final = 1000
# Enough to see what is wrong; the API server cuts long messages.
_MAX_TOLD: Final = 8


class Patch(NamedTuple):
    """How the pod is to be changed: a JSON Patch, empty when it is as it should be."""

    operations: list[RawOperation]
    warnings: tuple[str, ...]


class _Sidecar(NamedTuple):
    """What is to be put in."""

    settings: InjectionSettings
    tuning: Tuning
    members: Members


def plan_patch(
    pod: RawObject, namespace: Namespace, settings: InjectionSettings, members: Members = ()
) -> Patch | Skip | Refusal:
    """What is to be done with a pod that is being created, as the API server sends it."""
    outcome = inject(pod, namespace, settings, members)
    if isinstance(outcome, Injected):
        return Patch(diff(pod, outcome.pod), outcome.warnings)
    return outcome


def inject(
    pod: RawObject,
    namespace: Namespace,
    settings: InjectionSettings,
    members: Members = (),
    *,
    offline: bool = False,
) -> Injected | Skip | Refusal:
    """The pod with its sidecar, which gets a token for each of the members.

    `offline` pods come from a file. Those of the API server have been through its own plugin, and
    have a token's volume if the pod and its service account want one. It has checked their form,
    too: they are looked at for that, a sixth of a review's time, only if they cannot be read.
    """
    if offline and (problem := find_problem(pod)):
        return _refuse_malformed(problem)
    try:
        return _inject(pod, namespace, settings, members, offline=offline)
    except (AttributeError, KeyError, TypeError):
        if problem := find_problem(pod):
            return _refuse_malformed(problem)
        raise


def _refuse_malformed(problem: str) -> Refusal:
    return Refusal("malformed", f"{problem}: this is not a pod that can be read")


def _inject(
    pod: RawObject,
    namespace: Namespace,
    settings: InjectionSettings,
    members: Members,
    *,
    offline: bool,
) -> Injected | Skip | Refusal:
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    try:
        tuning = parse_annotations(annotations, settings)
    except ValueError as error:
        return Refusal("invalid-annotation", str(error))
    if skip := _find_skip(pod, namespace, tuning):
        return skip
    spec = pod["spec"]
    if refusal := _find_excess(spec) or find_reserved(spec, tuning):
        return refusal
    removed = find_access_volumes(spec, VOLUMES)
    api = _choose_containers(spec, tuning, removed, offline=offline)
    if namespace.enforced:
        if refusal := _find_refusal(spec, removed, settings):
            return refusal
    elif api is None:
        return Skip("no-token", "it asks for no service account token, so it has no API to replace")
    sidecar = _Sidecar(settings, tuning, members)
    return _build(pod, sidecar, removed, api or frozenset())


def _find_skip(pod: RawObject, namespace: Namespace, tuning: Tuning) -> Skip | Refusal | None:
    """Where no sidecar can be; in an enforced namespace no such pod may be, either."""
    if not namespace.enabled:
        return Skip("not-enabled", "its namespace is not labelled mca.io/injection: enabled")
    spec = pod["spec"]
    system = (spec.get("os") or {}).get("name") or (spec.get("nodeSelector") or {}).get(_OS_LABEL)
    if _MIRROR in ((pod.get("metadata") or {}).get("annotations") or {}):
        skip = Skip("mirror-pod", "a static pod is run by its node: nobody can change it")
    elif system == "windows":
        skip = Skip("windows", "the sidecar runs on Linux only")
    elif spec.get("hostNetwork"):
        skip = Skip("host-network", "a pod with hostNetwork has no loopback of its own")
    elif tuning.opted_out:
        skip = Skip("opted-out", "its annotation mca.io/inject says so")
    else:
        return None
    if namespace.enforced:
        return Refusal(skip.code, f"{skip.reason}, and this namespace takes no pod without sidecar")
    if skip.code == "opted-out" and not namespace.opt_out:
        return Refusal(
            "opt-out-not-allowed",
            'mca.io/inject: "false" counts only in namespaces that an admin has labelled'
            " mca.io/opt-out: allowed; leave the annotation out",
        )
    return skip


def _find_excess(spec: RawObject) -> Refusal | None:
    """Each container is given 600 bytes or more: a patch must not be many times its pod."""
    count = sum(item["name"] != SIDECAR for item in list_containers(spec))
    if count <= _MAX_CONTAINERS:
        return None
    return Refusal(
        "too-many-containers",
        f"the pod has {count} containers: make it several pods of {_MAX_CONTAINERS} at most",
    )


def _choose_containers(
    spec: RawObject, tuning: Tuning, removed: frozenset[str], *, offline: bool
) -> frozenset[str] | None:
    """The containers that get the API; None if none of the pod asks for it."""
    ours = removed | {CLIENTS_VOLUME}
    application = [item for item in list_containers(spec) if item["name"] != SIDECAR]
    if tuning.containers is not None:
        return frozenset(item["name"] for item in application) & tuning.containers
    asked = offline and spec.get("automountServiceAccountToken") is not False
    asked = (
        asked
        or bool(removed)
        or any(
            mount["name"] == CLIENTS_VOLUME
            for item in application
            for mount in item.get("volumeMounts") or ()
        )
    )
    if not asked:
        return None
    return frozenset(item["name"] for item in application if not hides_account(item, ours))


def _find_refusal(
    spec: RawObject, removed: frozenset[str], settings: InjectionSettings
) -> Refusal | None:
    volumes = [item for item in spec.get("volumes") or () if item["name"] not in removed]
    breaches = list(list_breaches({**spec, "volumes": volumes}, settings))
    if not breaches:
        return None
    told = [breach.message for breach in breaches[:_MAX_TOLD]]
    if len(breaches) > len(told):
        told.append(f"and {len(breaches) - len(told)} more")
    return Refusal(breaches[0].code, "; ".join(told))


def _build(
    pod: RawObject, wanted: _Sidecar, removed: frozenset[str], api: frozenset[str]
) -> Injected:
    spec, (settings, tuning, members) = pod["spec"], wanted
    init = spec.get("initContainers") or []
    arrived: RawObject = next((item for item in init if item["name"] == SIDECAR), {})
    application = [item for item in list_containers(spec) if item["name"] != SIDECAR]
    # In the order of the pod, and all of them where none has the API: the sidecar wants a name.
    names = [item["name"] for item in application if item["name"] in api]
    names = names or [item["name"] for item in application]
    gone = removed | {CLIENTS_VOLUME}
    direct = DIRECT_BY_NAME if tuning.captures_names else DIRECT

    def adapt(container: RawObject) -> RawObject:
        port = tuning.api_port if container["name"] in api else None
        return adapt_container(container, gone, port, direct)

    if spec.get("resources"):
        # The pod as a whole has its share, which the sum of its containers' must not exceed.
        tuning = tuning._replace(resources=Resources("", "", "", ""))
    sidecar = build_container(settings, tuning, names, arrived, members)
    ours = build_volumes(settings, members)
    new_spec = {
        **spec,
        **(add_capture(spec) if tuning.captures_names else {}),
        "initContainers": [
            sidecar if sidecar != arrived else arrived,
            *(adapt(item) for item in init if item["name"] != SIDECAR),
        ],
        "containers": [adapt(item) for item in spec["containers"]],
        "volumes": _rebuild_volumes(spec.get("volumes") or [], ours, removed),
        "automountServiceAccountToken": False,
    }
    return Injected(
        {**pod, "spec": new_spec}, tuple(islice(_warn(spec, tuning, removed, api), _MAX_TOLD))
    )


def _rebuild_volumes(
    volumes: list[RawObject], ours: dict[str, RawObject], removed: frozenset[str]
) -> list[RawObject]:
    """Ours stand where they stood: other webhooks may have added theirs behind them."""
    missing = dict(ours)
    rebuilt = []
    for volume in volumes:
        name = volume["name"]
        if name in VOLUMES:
            # A second one of the same name is dropped with what it holds.
            rebuilt.extend([missing.pop(name)] if name in missing else [])
        elif name not in removed:
            rebuilt.append(volume)
    return [*rebuilt, *missing.values()]


def _warn(
    spec: RawObject, tuning: Tuning, removed: frozenset[str], api: frozenset[str]
) -> Iterator[str]:
    application = [item for item in list_containers(spec) if item["name"] != SIDECAR]
    known = {item["name"] for item in application}
    for name in sorted((tuning.containers or frozenset()) - known):
        yield f"{CONTAINERS} names {name}, and the pod has no such container"
    replaced = removed | {CLIENTS_VOLUME}
    for item in application:
        if tuning.containers is None and item["name"] not in api and hides_account(item, replaced):
            yield (
                f"container {item['name']} mounts a volume of its own at the service account's"
                f" path: it gets no API unless {CONTAINERS} names it"
            )
    for item in spec.get("volumes") or ():
        kept = item["name"] not in removed and item["name"] not in VOLUMES
        if kept and "" in list_audiences(item):
            yield (
                f"volume {item['name']} holds a token of the API server,"
                " which the application can read"
            )
    direct = DIRECT_BY_NAME if tuning.captures_names else DIRECT
    for item in application:
        if item["name"] in api and (text := find_warning(item, direct)):
            yield text
