"""Owns which kinds have namespaces where no cluster can be asked: those built into Kubernetes.

Must not guess about others: whoever asks names them in hints. The sidecar itself never uses this
table, it asks the clusters' own discovery.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

NAMESPACED, CLUSTER = "namespaced", "cluster"

# Group and its preferred version; kinds with namespaces; kinds without. As served by Kubernetes
# 1.36, which a test compares.
_BUILT_IN = """
/v1
    configmaps endpoints events limitranges persistentvolumeclaims pods podtemplates
    replicationcontrollers resourcequotas secrets serviceaccounts services bindings
    | componentstatuses namespaces nodes persistentvolumes
apps/v1
    controllerrevisions daemonsets deployments replicasets statefulsets
batch/v1
    cronjobs jobs
networking.k8s.io/v1
    ingresses networkpolicies | ingressclasses ipaddresses servicecidrs
autoscaling/v2
    horizontalpodautoscalers
policy/v1
    poddisruptionbudgets
rbac.authorization.k8s.io/v1
    rolebindings roles | clusterrolebindings clusterroles
storage.k8s.io/v1
    csistoragecapacities
    | csidrivers csinodes storageclasses volumeattachments volumeattributesclasses
coordination.k8s.io/v1
    leases
discovery.k8s.io/v1
    endpointslices
events.k8s.io/v1
    events
resource.k8s.io/v1
    resourceclaims resourceclaimtemplates | deviceclasses resourceslices
apiextensions.k8s.io/v1
    | customresourcedefinitions
apiregistration.k8s.io/v1
    | apiservices
admissionregistration.k8s.io/v1
    | mutatingadmissionpolicies mutatingadmissionpolicybindings mutatingwebhookconfigurations
    validatingadmissionpolicies validatingadmissionpolicybindings validatingwebhookconfigurations
authentication.k8s.io/v1
    | selfsubjectreviews tokenreviews
authorization.k8s.io/v1
    localsubjectaccessreviews
    | selfsubjectaccessreviews selfsubjectrulesreviews subjectaccessreviews
certificates.k8s.io/v1
    | certificatesigningrequests
flowcontrol.apiserver.k8s.io/v1
    | flowschemas prioritylevelconfigurations
node.k8s.io/v1
    | runtimeclasses
scheduling.k8s.io/v1
    | priorityclasses
"""
_SHORT = {
    "cj": "cronjobs", "cm": "configmaps", "crd": "customresourcedefinitions",
    "crds": "customresourcedefinitions", "cs": "componentstatuses",
    "csr": "certificatesigningrequests", "deploy": "deployments", "ds": "daemonsets",
    "ep": "endpoints", "ev": "events", "hpa": "horizontalpodautoscalers", "ing": "ingresses",
    "ip": "ipaddresses", "limits": "limitranges", "netpol": "networkpolicies", "no": "nodes",
    "ns": "namespaces", "pc": "priorityclasses", "pdb": "poddisruptionbudgets", "po": "pods",
    "pv": "persistentvolumes", "pvc": "persistentvolumeclaims", "quota": "resourcequotas",
    "rc": "replicationcontrollers", "rs": "replicasets", "sa": "serviceaccounts",
    "sc": "storageclasses", "sts": "statefulsets", "svc": "services",
    "vac": "volumeattributesclasses",
}  # fmt: skip
_VERSION = re.compile(r"v[0-9]+(?:(?:alpha|beta)[0-9]+)?")
_HINT = re.compile(
    r"(?P<resource>[a-z0-9-]+)(?:\.(?P<group>[a-z0-9.-]*))?=(?P<scope>namespaced|cluster)"
)


class Kind(NamedTuple):
    """A kind by its plural; `namespaced` None: not known."""

    group: str
    version: str
    resource: str
    namespaced: bool | None

    @property
    def title(self) -> str:
        """As kubectl and RBAC write it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


class KindError(ValueError):
    """What was written names no kind; the text says what would."""


class Kinds:
    """The built-in kinds and what hints add to them."""

    def __init__(self, hints: Iterable[str] = ()) -> None:
        self._known = list_built_in()
        self._hinted: dict[tuple[str, str], bool] = {}
        for hint in hints:
            for word in hint.split(","):
                found = _HINT.fullmatch(word.strip())
                if found is None:
                    raise KindError(
                        f"{word!r} tells no scope: write PLURAL.GROUP=namespaced or =cluster"
                    )
                key = (found["group"] or "", found["resource"])
                self._hinted[key] = found["scope"] == NAMESPACED

    def namespaced(self, group: str, resource: str) -> bool | None:
        """Whether the kind has namespaces; None where nobody said."""
        hinted = self._hinted.get((group, resource))
        if hinted is not None:
            return hinted
        kind = self._known.get((group, resource))
        return None if kind is None else kind.namespaced

    def is_hinted(self, group: str, resource: str) -> bool:
        """Whether it was told by a hint."""
        return (group, resource) in self._hinted

    def read(self, text: str) -> Kind:
        """What kubectl would take it for: pods, po, deployments.apps, pods.v1., jobs.v1.batch."""
        word, dot, rest = text.lower().partition(".")
        if not dot:
            return self._find_by_name(word)
        version, second_dot, group = rest.partition(".")
        if not second_dot or _VERSION.fullmatch(version) is None:
            version, group = "", rest
        resource = self._plural(word, group)
        known = self._known.get((group, resource))
        usual = known.version if known is not None else "v1"
        return Kind(group, version or usual, resource, self.namespaced(group, resource))

    def _find_by_name(self, word: str) -> Kind:
        for group, resource in (*self._hinted, *self._known):
            if resource == self._plural(word, group):
                known = self._known.get((group, resource))
                version = known.version if known is not None else "v1"
                return Kind(group, version, resource, self.namespaced(group, resource))
        raise KindError(
            f"{word!r} is no kind built into Kubernetes: write it with its group, as in"
            f" {word}.example.com, or give the request's path"
        )

    def _plural(self, word: str, group: str) -> str:
        """The plural that a short name or a singular stands for in a group; else the word."""
        spellings = (word, _SHORT.get(word, ""), f"{word}s", f"{word}es", f"{word[:-1]}ies")
        for spelling in spellings:
            if (group, spelling) in self._known or (group, spelling) in self._hinted:
                return spelling
        return word


def list_built_in() -> Mapping[tuple[str, str], Kind]:
    """Every built-in kind by group and plural."""
    return {(kind.group, kind.resource): kind for kind in _read_table()}


def _read_table() -> Iterable[Kind]:
    for paragraph in re.split(r"\n(?=\S)", _BUILT_IN.strip()):
        head, _, kinds = paragraph.partition("\n")
        group, _, version = head.rpartition("/")
        for part, namespaced in zip(kinds.split("|"), (True, False), strict=False):
            for resource in part.split():
                yield Kind(group, version, resource, namespaced)
