"""Owns who is who between a home and its members, and the names and labels of what they make.

Must not build an object but for the metadata that all have.
"""

from typing import Any, Final, NamedTuple

from webhook.kube import RawDocument
from webhook.resources.names import CONTROLLER

ACCESS_NAMESPACE: Final = "mca-access"
TOKEN_REQUEST: Final = "token-request"  # noqa: S105 - the name of a form
AUDIENCE: Final = "audience"
SECRET: Final = "secret"  # noqa: S105 - the name of a form
FORMS: Final = (TOKEN_REQUEST, AUDIENCE, SECRET)
# Of what is made at home; on a member it is the other, and its value is the home's uid.
LABEL_CLUSTER: Final = "mca.io/cluster"
USER_PREFIX: Final = "mca.io/user-prefix"
RBAC: Final = "rbac.authorization.k8s.io"


class Home(NamedTuple):
    """The cluster that a member is registered at."""

    uid: str  # of its kube-system
    system: str  # MCA's own namespace there

    @property
    def mark(self) -> str:
        """Short enough for names."""
        return self.uid[:8]

    @property
    def account(self) -> str:
        """What its account on members is called, and what is made for it."""
        return f"mca-home-{self.mark}"

    @property
    def user(self) -> str:
        """Its account, as a member's RBAC and guards name it."""
        return f"system:serviceaccount:{ACCESS_NAMESPACE}:{self.account}"

    @property
    def controller(self) -> str:
        """The controller, as home names it."""
        return f"system:serviceaccount:{self.system}:{CONTROLLER}"

    @property
    def tokens(self) -> str:
        """What lets it ask for tokens in a namespace."""
        return f"home-{self.mark}-tokens"


def name_account(home: Home, tenant: str) -> str:
    """On the member: the home's, or one tenant's."""
    return f"{home.account}-{tenant}" if tenant else home.account


def name_user(user: str) -> RawDocument:
    """A subject that is no service account of the cluster."""
    return {"apiGroup": RBAC, "kind": "User", "name": user}


def name_secret(cluster: str) -> str:
    """The Secret of a Cluster at home; its Role and RoleBinding are called the same."""
    return f"mca-cluster-{cluster}"


def build_rule(
    group: str, resources: list[str], verbs: list[str], names: list[str] | None = None
) -> RawDocument:
    rule: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return rule | ({"resourceNames": names} if names else {})


def build_object(
    api_version: str, kind: str, name: str, labels: dict[str, str], namespace: str
) -> RawDocument:
    where = {"namespace": namespace} if namespace else {}
    ours = {
        "app.kubernetes.io/name": "mca",
        "app.kubernetes.io/component": "cluster",
        "app.kubernetes.io/part-of": "mca",
    }
    metadata = {"name": name, **where, "labels": {**ours, **labels}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
