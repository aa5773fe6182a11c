"""Owns what the controller's account may do, each right with its reason.

Must not grant what nobody asks for: a right goes in together with the code that uses it. It may
not read Secrets in general: of a registered cluster's, a Role of its own gives one by its name.
"""

from typing import Any, Final

from webhook.controller.broker.map_names import MAP_NAMES
from webhook.install.names import CA_MAP, CA_SECRET, OF_CONTROLLER, describe
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.rights import RBAC, RBAC_API, bind, build_binding
from webhook.install.settings import InstallSettings
from webhook.resources.names import CONTROLLER, GROUP, POLICY, POLICY_READER
from webhook.resources.profiles import build_roles

_KINDS: Final = ("clusters", "tenants", "routes")
_READ: Final = ["get", "list", "watch"]
_KEEP: Final = [*_READ, "create", "patch", "delete"]
# By what admins give it more: roles that Tenants of profile custom name.
_CUSTOM: Final = "mca-controller-custom"
_PROFILES: Final = "mca-controller-profiles"
AGGREGATE_LABEL: Final = "mca.io/aggregate-to-controller"


def build_controller_account(settings: InstallSettings) -> list[RawDocument]:
    """Who the controller is."""
    return [
        Remarked(
            "Who the controller is: the guards let it, and admins, write what sidecars live by.",
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": describe(CONTROLLER, settings.namespace, OF_CONTROLLER),
                "automountServiceAccountToken": False,
            },
        )
    ]


def build_controller_rights(settings: InstallSettings) -> list[RawDocument]:
    """In its own namespace, in the cluster, and what admins add to that."""
    in_namespace = {
        "apiVersion": RBAC_API,
        "kind": "Role",
        "metadata": describe(CONTROLLER, settings.namespace, OF_CONTROLLER),
        "rules": [*_elect(), *_sign(settings), *_report()],
    }
    in_cluster = {
        "apiVersion": RBAC_API,
        "kind": "ClusterRole",
        "metadata": describe(CONTROLLER, component=OF_CONTROLLER),
        "rules": [*_follow(), *_write_policies(), *_provision(), *_judge_callers(), *_tell()],
    }
    custom = {
        "apiVersion": RBAC_API,
        "kind": "ClusterRole",
        "metadata": describe(_CUSTOM, component=OF_CONTROLLER),
        "aggregationRule": {
            "clusterRoleSelectors": [{"matchLabels": {AGGREGATE_LABEL: "true"}}],
        },
    }
    return [
        Remarked(
            "In its own namespace: its Lease, its certificate, its report, its own token.",
            in_namespace,
        ),
        bind("Role", CONTROLLER, settings.namespace, OF_CONTROLLER),
        Remarked(
            "In the cluster: what it reads, and what it provisions. No Secret, no workload, no "
            "Role, and of RoleBindings only those to roles that are named here.",
            in_cluster,
        ),
        bind("ClusterRole", CONTROLLER, settings.namespace, OF_CONTROLLER),
        *_follow_profiles(settings),
        Remarked(
            "What admins let it give to tenants beside the profiles: a ClusterRole with the label "
            f'{AGGREGATE_LABEL}: "true" and the verb bind on the roles that Tenants of profile '
            "custom name.",
            custom,
        ),
        build_binding("ClusterRole", _CUSTOM, CONTROLLER, settings.namespace, OF_CONTROLLER),
    ]


def _allow(
    why: str, verbs: list[str], *resources: str, group: str = "", names: tuple[str, ...] = ()
) -> RawDocument:
    rule: dict[str, Any] = {"apiGroups": [group], "resources": list(resources)}
    if names:
        rule["resourceNames"] = list(names)
    return Remarked(why, {**rule, "verbs": verbs})


def _elect() -> list[RawDocument]:
    group = "coordination.k8s.io"
    return [
        _allow(
            "One replica writes, the one that holds this Lease. RBAC cannot limit create to a "
            "name.",
            ["create"],
            "leases",
            group=group,
        ),
        _allow(
            "The same, by its name.",
            ["get", "update"],
            "leases",
            group=group,
            names=(CONTROLLER,),
        ),
    ]


def _sign(settings: InstallSettings) -> list[RawDocument]:
    if settings.cert_manager:
        return []
    return [
        _allow(
            "The authority that the webhook keeps: each replica signs its own certificate, and "
            "changes nothing there.",
            ["get", "watch"],
            "secrets",
            names=(CA_SECRET,),
        ),
        _allow(
            "What that certificate is verified by: it goes into snapshots.",
            _READ,
            "configmaps",
            names=(CA_MAP,),
        ),
    ]


def _report() -> list[RawDocument]:
    return [
        _allow(
            "How many sidecars run which snapshot, by replica and in sum.",
            ["get", "create", "patch"],
            "configmaps",
            names=MAP_NAMES,
        ),
        _allow(
            "Tokens of its own account alone: to probe clusters that trust them, and to prove that "
            "their audiences do not open this one.",
            ["create"],
            "serviceaccounts/token",
            names=(CONTROLLER,),
        ),
    ]


def _follow() -> list[RawDocument]:
    return [
        _allow("What admins and tenants state.", _READ, *_KINDS, group=GROUP),
        _allow(
            "What became of it.",
            ["patch"],
            "clusters/status", "tenants/status", "routes/status",
            group=GROUP,
        ),
        _allow("The finalizer, by which a Tenant ends.", ["patch"], "tenants", group=GROUP),
    ]  # fmt: skip


def _follow_profiles(settings: InstallSettings) -> list[RawDocument]:
    """A role of its own: who may make Clusters says where calls go."""
    if not settings.profile_namespaces:
        return []
    rules = [
        _allow(
            "ClusterProfiles, where their kind is installed.",
            _READ,
            "clusterprofiles",
            group="multicluster.x-k8s.io",
        ),
        _allow("The Clusters made of them.", ["create", "patch"], "clusters", group=GROUP),
    ]
    return [
        Remarked(
            "Where namespaces are listed whose ClusterProfiles are read as Clusters.",
            {
                "apiVersion": RBAC_API,
                "kind": "ClusterRole",
                "metadata": describe(_PROFILES, component=OF_CONTROLLER),
                "rules": rules,
            },
        ),
        build_binding("ClusterRole", _PROFILES, CONTROLLER, settings.namespace, OF_CONTROLLER),
    ]


def _write_policies() -> list[RawDocument]:
    return [
        _allow(
            "Each labelled namespace's snapshot. Its name is checked on create as well, because it "
            "is applied (server-side apply). update: what somebody made of it is replaced.",
            [*_KEEP, "update"],
            "configmaps",
            names=(POLICY,),
        ),
        _allow(
            "The binding by which the namespace's service accounts read it: replaced as well.",
            ["update"],
            "rolebindings",
            group=RBAC,
            names=(POLICY,),
        ),
        _allow(
            "The roles that it may bind: to read a snapshot, and the profiles of Tenants.",
            ["bind"],
            "clusterroles",
            group=RBAC,
            names=(POLICY_READER, *(role["metadata"]["name"] for role in build_roles())),
        ),
    ]


def _provision() -> list[RawDocument]:
    return [
        _allow(
            "Namespaces of Tenants: labelled, and created or deleted where a Tenant says so.",
            _KEEP,
            "namespaces",
        ),
        _allow(
            "What Tenants state: quotas, limits, accounts.",
            _KEEP,
            "resourcequotas", "limitranges", "serviceaccounts",
        ),
        _allow(
            "What Tenants state: isolation.", _KEEP, "networkpolicies", group="networking.k8s.io"
        ),
        _allow(
            "What Tenants state: whose namespaces they are. RBAC lets it bind the roles that it "
            "may bind, and no others.",
            _KEEP,
            "rolebindings",
            group=RBAC,
        ),
        _allow(
            "Where the API server is, for isolated namespaces.",
            _READ,
            "endpointslices",
            group="discovery.k8s.io",
            names=("kubernetes",),
        ),
    ]  # fmt: skip


def _judge_callers() -> list[RawDocument]:
    return [
        _allow(
            "Whose token a sidecar shows to the broker.",
            ["create"],
            "tokenreviews",
            group="authentication.k8s.io",
        ),
        _allow("Whether the pod of that token is as injected.", ["get"], "pods"),
    ]


def _tell() -> list[RawDocument]:
    return [_allow("What people can act on.", ["create"], "events")]
