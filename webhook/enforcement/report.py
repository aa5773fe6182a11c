"""Owns the report on one namespace: whether its boundary is enforced, and if not, what is left.

The label `mca.io/boundary: enforced` is a wish until nothing is left of before. Must not fetch:
namespace, pods, the metadata of token Secrets and what tells of the API server are given.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

from webhook.admission.names import LABEL_BOUNDARY
from webhook.admission.outcome import RawObject
from webhook.admission.settings import InjectionSettings
from webhook.enforcement.stored_pod import has_sidecar, list_gaps
from webhook.resources.names import POD_SECURITY

# Secrets of this type are filled with a token of the API server.
TOKEN_SECRET_TYPE: Final = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type
STRICT_ENOUGH: Final = ("baseline", "restricted")
_FINISHED: Final = ("Succeeded", "Failed")


CODES: Final = (
    "pod-without-sidecar", "pod-not-as-injected", "token-secret", "pod-security", "foreign-ca",
    "foreign-service",
)  # fmt: skip
ROOT_CA: Final = "kube-root-ca.crt"
# The kubelet lets these stand for the API server in the environment of a namespace's pods.
HOME_SERVICES: Final = ("kubernetes", "kubernetes-service")
_HOME_NAMESPACE: Final = "default"


class Home(NamedTuple):
    """What tells sidecars where their API server is, and whom to take for it.

    `root_ca` is the namespace's ConfigMap, `genuine_ca` that of MCA's own namespace.
    """

    root_ca: RawObject | None = None
    genuine_ca: RawObject | None = None
    services: tuple[str, ...] = ()


class Leftover(NamedTuple):
    """One thing that keeps the boundary from holding; `code` is stable."""

    code: str  # one of CODES
    subject: str  # as kubectl names it: pod/web-0
    message: str
    remedy: str


class Enforcement(NamedTuple):
    """`enforced` is what may be told to others; `wanted` is what the label says."""

    namespace: str
    wanted: bool
    enforced: bool
    leftovers: tuple[Leftover, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "namespace": self.namespace,
            "wanted": self.wanted,
            "enforced": self.enforced,
            "leftovers": [leftover._asdict() for leftover in self.leftovers],
        }


def report_enforcement(
    namespace: RawObject,
    pods: Iterable[RawObject],
    token_secrets: Iterable[RawObject],
    settings: InjectionSettings,
    home: Home,
    earlier_images: Collection[str] = (),
) -> Enforcement:
    """Look at everything that is stored; what the label does not ask for is not reported true."""
    metadata = namespace["metadata"]
    labels = metadata.get("labels") or {}
    wanted = labels.get(LABEL_BOUNDARY) == "enforced"
    images = {settings.image, *earlier_images}
    leftovers = (
        *_judge_labels(metadata["name"], labels),
        *(leftover for pod in pods for leftover in _judge_pod(pod, settings, images)),
        *(_tell_secret(secret["metadata"]["name"]) for secret in token_secrets),
        *_judge_ca(home),
        *_judge_services(metadata["name"], home.services),
    )
    return Enforcement(metadata["name"], wanted, wanted and not leftovers, leftovers)


def _judge_labels(name: str, labels: dict[str, str]) -> Iterator[Leftover]:
    level = labels.get(POD_SECURITY)
    if level not in STRICT_ENOUGH:
        found = f"is {level}" if level else "is not set"
        yield Leftover(
            "pod-security",
            f"namespace/{name}",
            f"label {POD_SECURITY} {found}",
            f"kubectl label namespace {name} {POD_SECURITY}=baseline --overwrite",
        )


def _judge_pod(
    pod: RawObject, settings: InjectionSettings, images: Collection[str]
) -> Iterator[Leftover]:
    name = pod["metadata"]["name"]
    if not has_sidecar(pod):
        yield Leftover("pod-without-sidecar", f"pod/{name}", "has no sidecar", _find_remedy(pod))
    elif gaps := tuple(list_gaps(pod, settings, images)):
        yield Leftover("pod-not-as-injected", f"pod/{name}", "; ".join(gaps), _find_remedy(pod))


def _find_remedy(pod: RawObject) -> str:
    """Pods are not changed: new ones take their place. A finished one's token is good still."""
    metadata = pod["metadata"]
    if metadata.get("deletionTimestamp"):
        return "it is being deleted: wait until it is gone"
    if (pod.get("status") or {}).get("phase") in _FINISHED:
        return "it has finished, and its token lives as long as it does: delete it"
    owners = [owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")]
    if not owners:
        return "nobody makes it anew: delete it and create it again"
    kind, name = owners[0]["kind"], owners[0]["name"]
    if kind == "ReplicaSet":
        return "restart its Deployment: kubectl rollout restart deployment"
    if kind in ("StatefulSet", "DaemonSet"):
        return f"kubectl rollout restart {kind.lower()}/{name}"
    return f"delete it, its {kind} {name} makes it anew"


def _judge_ca(home: Home) -> Iterator[Leftover]:
    """Written before the guard was there, it would send the sidecars' tokens anywhere."""
    if home.root_ca is None:
        return
    remedy = "delete it as an admin, Kubernetes makes it anew; then restart the pods"
    subject = f"configmap/{ROOT_CA}"
    if home.genuine_ca is not None and home.root_ca.get("data") != home.genuine_ca.get("data"):
        told = "names another CA for the API server than Kubernetes does"
        yield Leftover("foreign-ca", subject, told, remedy)
    elif home.root_ca.get("immutable"):
        told = "is immutable: Kubernetes cannot keep it right"
        yield Leftover("foreign-ca", subject, told, remedy)


def _judge_services(namespace: str, services: Collection[str]) -> Iterator[Leftover]:
    for name in services:
        if name in HOME_SERVICES and namespace != _HOME_NAMESPACE:
            yield Leftover(
                "foreign-service",
                f"service/{name}",
                "stands for the API server in the environment of new pods",
                "delete it, and restart the pods; a Service of another name can take its place",
            )


def _tell_secret(name: str) -> Leftover:
    return Leftover(
        "token-secret",
        f"secret/{name}",
        "holds a token of the API server that does not expire",
        "delete it; who needs a token asks for one that expires (kubectl create token)",
    )
