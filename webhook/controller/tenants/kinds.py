"""Owns the kinds of objects that a tenant is made of: their paths, and which step they belong to.

Must not know what stands in them.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from webhook.resources.names import LABEL_TENANT, NAMESPACES_PATH


class Step(StrEnum):
    """A part of a tenant, in the order in which it is provisioned; also a condition's type."""

    NAMESPACES = "Namespaces"
    QUOTA = "Quota"
    LIMITS = "Limits"
    NETWORK = "Network"
    ACCOUNTS = "ServiceAccounts"
    ACCESS = "Access"


class Kind(NamedTuple):
    """One kind of objects in namespaces."""

    name: str
    api_version: str
    plural: str
    step: Step

    @property
    def collection(self) -> str:
        """The path of all of them in a cluster."""
        return f"{self._root}/{self.plural}"

    @property
    def _root(self) -> str:
        return (
            f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        )

    def path(self, namespace: str, name: str = "") -> str:
        """Of one object, or of all in a namespace."""
        return f"{self._root}/namespaces/{namespace}/{self.plural}" + (f"/{name}" if name else "")


QUOTA: Final = Kind("ResourceQuota", "v1", "resourcequotas", Step.QUOTA)
LIMITS: Final = Kind("LimitRange", "v1", "limitranges", Step.LIMITS)
NETWORK: Final = Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", Step.NETWORK)
ACCOUNT: Final = Kind("ServiceAccount", "v1", "serviceaccounts", Step.ACCOUNTS)
BINDING: Final = Kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings", Step.ACCESS)
KINDS: Final = (QUOTA, LIMITS, NETWORK, ACCOUNT, BINDING)

OUR_NAMES: Final = "mca-"
MANAGER: Final = "mca-controller-tenants"
# Every object in a tenant's namespaces has this label: by it they are watched.
SELECTOR: Final = (("labelSelector", LABEL_TENANT),)


class Place(NamedTuple):
    """Where one object is, or should be; a Namespace has no kind and no namespace around it."""

    kind: Kind | None
    namespace: str
    name: str

    @property
    def step(self) -> Step:
        return Step.NAMESPACES if self.kind is None else self.kind.step

    @property
    def path(self) -> str:
        if self.kind is None:
            return f"{NAMESPACES_PATH}/{self.name}"
        return self.kind.path(self.namespace, self.name)

    @property
    def shown(self) -> str:
        """For people."""
        if self.kind is None:
            return f"Namespace {self.name}"
        return f"{self.kind.name} {self.namespace}/{self.name}"


def place_namespace(name: str) -> Place:
    """Of a Namespace itself."""
    return Place(None, name, name)
