"""Owns the course of an allowance: looked at on both clusters, then made on the member.

Must not take an account that is somebody's. Must not parse arguments.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from webhook.admission.names import LABEL_BOUNDARY, LABEL_INJECTION
from webhook.cli.arguments import tell
from webhook.cli.cluster.guards import find_guards
from webhook.cli.cluster.identity import USER_PREFIX, Home, name_user
from webhook.cli.cluster.member import MEMBER_UID, find_uid
from webhook.cli.cluster.member_objects import (
    build_grant,
    build_labelled,
    build_tenant_account,
    build_tokens,
)
from webhook.cli.cluster.steps import StepError, Steps
from webhook.cli.stored import find_document
from webhook.kube import Kube, RawDocument
from webhook.resources.clusters import Cluster, SecretRef, TokenRequest, parse_cluster
from webhook.resources.meta import Invalid, Meta, read_meta
from webhook.resources.names import (
    LABEL_HOME,
    LABEL_TENANT,
    NAMESPACES_PATH,
    POD_SECURITY,
    object_path,
)
from webhook.resources.tenants import Tenant, parse_tenant

_RESERVED: Final = ("default", "mca-access")
_CLUSTER_ROLES: Final = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


class Allowance(NamedTuple):
    """Which accounts of a namespace are a tenant's on a member."""

    cluster: str
    tenant: str
    namespace: str
    accounts: tuple[str, ...]
    role: str = ""
    adopt: bool = False


class Allowing:
    """One allowance. Each step may raise StepError or KubeError."""

    def __init__(self, home: Kube, member: Kube, allowance: Allowance, system: str) -> None:
        self._wish = allowance
        self._at_home = home
        self._there = Steps(member, allowance.cluster)
        self._home = Home("", system)
        self._cluster: Cluster | None = None
        self._prefix = ""
        self._boundary = False
        self._tenant = Meta(allowance.tenant)

    def examine(self) -> None:
        """Whose everything is, before anything is changed."""
        wish = self._wish
        if wish.namespace in _RESERVED or wish.namespace.startswith("kube-"):
            raise StepError(f"-n {wish.namespace}: is the cluster's own, or MCA's: name a tenant's")
        self._home = Home(find_uid(self._at_home), self._home.system)
        self._cluster = self._find_cluster()
        self._examine_member(self._cluster)
        tenant = self._find_tenant()
        self._tenant = tenant.meta
        if wish.cluster not in tenant.clusters:
            tell([f"  note: {wish.cluster} is not in spec.clusters of Tenant {wish.tenant} yet"])
        self._tell_unless_held()
        self._boundary = tenant.boundary == "enforced"
        for account in wish.accounts:
            self._examine_account(account)

    def apply(self) -> None:
        """On the member."""
        wish, home, cluster = self._wish, self._home, self._cluster
        guarded = self._boundary and find_guards(self._there.kube) is not None
        labels = {LABEL_INJECTION: "enabled", LABEL_BOUNDARY: "enforced"} if guarded else {}
        if guarded and not self._has_pod_security():
            labels[POD_SECURITY] = "baseline"
        if labels or self._there.find(f"/api/v1/namespaces/{wish.namespace}") is None:
            self._there.apply_one(build_labelled(home, wish.namespace, labels))
        for account in wish.accounts:
            self._there.apply_one(build_tenant_account(home, self._tenant, wish.namespace, account))
        if cluster is not None and isinstance(cluster.credentials, TokenRequest):
            known = self._list_allowed()
            accounts = sorted({*known, *wish.accounts})
            self._there.apply(build_tokens(home, wish.namespace, accounts))
        if wish.role:
            subjects = list(map(self._name_subject, wish.accounts))
            self._there.apply_one(build_grant(home, wish.namespace, wish.role, subjects))
        if self._boundary and not guarded:
            told = "the member has no guards of MCA, so this namespace is no boundary there"
            tell([f"  note: {told}: mca cluster add {wish.cluster} … --sidecar-image …"])

    def describe_rest(self) -> str:
        """What is there, where it stopped."""
        if not self._there.done:
            return "nothing was changed"
        return f"{len(self._there.done)} steps are done and stay; run the same command again"

    def describe_end(self) -> Iterator[str]:
        """Who may do what now."""
        wish = self._wish
        named = ", ".join(wish.accounts)
        rights = f"the rights of {wish.role}" if wish.role else "the rights it has"
        yield f"pods of {wish.namespace} as {named} act on {wish.cluster} with {rights} there"

    def _find_cluster(self) -> Cluster:
        document = find_document(self._at_home, object_path("Cluster", self._wish.cluster))
        if document is None:
            raise StepError(f"Cluster {self._wish.cluster} is not registered: mca cluster add")
        parsed = parse_cluster(document)
        if isinstance(parsed, Invalid):
            raise StepError("\n".join(parsed.problems))
        if isinstance(parsed.credentials, SecretRef):
            raise StepError(
                f"Cluster {parsed.name} is by --credentials secret: whatever pods run as, they are "
                "the account of its Secret there: give that one rights, by a RoleBinding"
            )
        self._prefix = parsed.meta.annotations.get(USER_PREFIX, "")
        if parsed.audience and not self._prefix:
            raise StepError(
                f"Cluster {parsed.name} does not say how the member calls home's users: set its "
                f"annotation {USER_PREFIX} to the prefix in the member's authentication"
            )
        return parsed

    def _find_tenant(self) -> Tenant:
        document = find_document(self._at_home, object_path("Tenant", self._wish.tenant))
        if document is None:
            raise StepError(f"Tenant {self._wish.tenant} is not there: mca tenant list")
        parsed = parse_tenant(document)
        if isinstance(parsed, Invalid):
            raise StepError("\n".join(parsed.problems))
        return parsed

    def _examine_member(self, cluster: Cluster) -> None:
        """That it is the one that was registered, and knows the role."""
        uid = find_uid(self._there.kube)
        if uid == self._home.uid:
            raise StepError(f"--context is home itself: name {cluster.name}'s")
        if uid != cluster.meta.annotations.get(MEMBER_UID, uid):
            raise StepError(f"--context is another cluster than {cluster.name}: name that one's")
        role = f"{_CLUSTER_ROLES}/{self._wish.role}"
        if self._wish.role and self._there.find(role) is None:
            raise StepError(
                f"--role {self._wish.role}: {cluster.name} has no ClusterRole of that name: "
                "kubectl get clusterroles there"
            )

    def _tell_unless_held(self) -> None:
        """Allowed ahead of time, or misspelt."""
        wish = self._wish
        space = find_document(self._at_home, f"{NAMESPACES_PATH}/{wish.namespace}") or {}
        if read_meta(space).labels.get(LABEL_TENANT) != wish.tenant:
            told = f"at home namespace {wish.namespace} is not the Tenant {wish.tenant}'s yet"
            tell([f"  note: {told}: its pods get no token for {wish.cluster}"])

    def _examine_account(self, account: str) -> None:
        """Another tenant's or home's is never taken."""
        path = f"/api/v1/namespaces/{self._wish.namespace}/serviceaccounts/{account}"
        there = self._there.find(path)
        if there is None:
            return
        meta = read_meta({"metadata": there})
        owner = (meta.annotations.get(LABEL_HOME), meta.annotations.get(LABEL_TENANT))
        if owner == (self._home.uid, self._wish.tenant):
            return
        if owner != (None, None):
            raise StepError(
                f"{self._wish.cluster}: serviceaccount/{account} in {self._wish.namespace} is the "
                f"tenant {owner[1]}'s of the home {owner[0]}: take another namespace or account"
            )
        if not self._wish.adopt:
            raise StepError(
                f"{self._wish.cluster}: serviceaccount/{account} in {self._wish.namespace} is "
                f"there and nobody's yet: with --adopt it becomes the tenant {self._wish.tenant}'s,"
                " with all rights that it has"
            )

    def _has_pod_security(self) -> bool:
        there = self._there.find(f"/api/v1/namespaces/{self._wish.namespace}")
        level = (there or {}).get("labels", {}).get(POD_SECURITY)
        return level in ("baseline", "restricted")

    def _list_allowed(self) -> tuple[str, ...]:
        """Those of earlier calls: the Role names all of them."""
        path = (
            f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self._wish.namespace}/roles/"
            f"{self._home.tokens}"
        )
        role = find_document(self._there.kube, path)
        rules = role.get("rules") or () if role else ()
        return tuple(name for rule in rules for name in rule.get("resourceNames") or ())

    def _name_subject(self, account: str) -> RawDocument:
        if self._prefix:
            user = f"system:serviceaccount:{self._wish.namespace}:{account}"
            return name_user(f"{self._prefix}{user}")
        return {"kind": "ServiceAccount", "name": account, "namespace": self._wish.namespace}
