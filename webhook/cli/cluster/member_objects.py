"""Owns what registering a cluster makes on that cluster, as plain objects.

Nothing of it may be called mca-… in a tenant's namespace: guards keep that name for the controller.
Must not talk to a cluster.
"""

from typing import Final

from webhook.cli.cluster.identity import ACCESS_NAMESPACE, RBAC, Home, build_object, build_rule
from webhook.enforcement.guarded import REGISTRATION
from webhook.kube import RawDocument
from webhook.resources.meta import Meta
from webhook.resources.names import LABEL_HOME, LABEL_TENANT, TENANT_UID
from webhook.resources.profiles import ELEVATED, STANDARD, build_roles

_ADMISSION: Final = "admissionregistration.k8s.io"
# What a Tenant brings to its namespaces on members.
_EVERYTHING: Final = ("get", "list", "create", "patch", "delete")
_PROVISIONED: Final = (
    ("", ("namespaces", "serviceaccounts", "resourcequotas", "limitranges")),
    ("networking.k8s.io", ("networkpolicies",)),
    (RBAC, ("rolebindings",)),
)


def build_account(home: Home, name: str) -> list[RawDocument]:
    """On the member: a namespace of ours, and an account in it."""
    return [
        _object("v1", "Namespace", ACCESS_NAMESPACE, home),
        {
            **_object("v1", "ServiceAccount", name, home, ACCESS_NAMESPACE),
            "automountServiceAccountToken": False,
        },
    ]


def build_token_secret(home: Home, name: str) -> RawDocument:
    """On the member: its control plane puts a token of the account into it.

    Guards keep the names mca-… in every namespace of ours, the account's own too.
    """
    secret_name = f"{name.removeprefix('mca-')}-token"
    document = _object("v1", "Secret", secret_name, home, ACCESS_NAMESPACE)
    document["metadata"]["annotations"] = {"kubernetes.io/service-account.name": name}
    return {**document, "type": "kubernetes.io/service-account-token"}


def build_looking(home: Home, subject: RawDocument, suffix: str = "") -> list[RawDocument]:
    """On the member: whether our guards and webhook are there may be seen, and nothing else."""
    name = f"{home.account}{suffix}"
    guards = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]
    rules = [
        build_rule(_ADMISSION, guards, ["get", "list"]),
        build_rule(_ADMISSION, ["mutatingwebhookconfigurations"], ["get"], [REGISTRATION]),
    ]
    return _bind_role(home, "ClusterRole", name, "", rules, [subject])


def build_provisioning(home: Home, subject: RawDocument) -> list[RawDocument]:
    """On the member: what a Tenant with onMembers makes there may be made.

    Of cluster roles it may grant those of the profiles, which grant nothing by themselves.
    """
    rules = [build_rule(group, list(kinds), list(_EVERYTHING)) for group, kinds in _PROVISIONED]
    rules.append(build_rule(RBAC, ["clusterroles"], ["bind"], [STANDARD, ELEVATED]))
    # Where its API server is, for NetworkPolicies.
    rules.append(build_rule("discovery.k8s.io", ["endpointslices"], ["get"], ["kubernetes"]))
    return _bind_role(home, "ClusterRole", f"{home.account}-tenants", "", rules, [subject])


def build_profiles(home: Home) -> list[RawDocument]:
    """On the member: what owners of Tenants get, where no installation has brought it."""
    return [
        {
            **_object(f"{RBAC}/v1", "ClusterRole", role["metadata"]["name"], home),
            "rules": role["rules"],
        }
        for role in build_roles()
    ]


def build_labelled(home: Home, namespace: str, labels: dict[str, str]) -> RawDocument:
    """On the member: a tenant's namespace. One that others have made stays theirs."""
    document = _object("v1", "Namespace", namespace, home)
    document["metadata"]["labels"] = labels
    return document


def build_tenant_account(home: Home, tenant: Meta, namespace: str, name: str) -> RawDocument:
    """On the member: an account, and whose it is; nothing else of it is touched.

    It does not pass to a later Tenant of the same name.
    """
    annotations = {LABEL_HOME: home.uid, LABEL_TENANT: tenant.name, TENANT_UID: tenant.uid}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def build_tokens(home: Home, namespace: str, accounts: list[str]) -> list[RawDocument]:
    """On the member: tokens may be asked for of these accounts, which are looked at before."""
    rules = [
        build_rule("", ["serviceaccounts"], ["get"], accounts),
        build_rule("", ["serviceaccounts/token"], ["create"], accounts),
    ]
    subject = {"kind": "ServiceAccount", "name": home.account, "namespace": ACCESS_NAMESPACE}
    return _bind_role(home, "Role", home.tokens, namespace, rules, [subject])


def build_grant(home: Home, namespace: str, role: str, subjects: list[RawDocument]) -> RawDocument:
    """On the member: these may do there what the cluster role allows."""
    document = _object(f"{RBAC}/v1", "RoleBinding", f"home-{home.mark}-{role}", home, namespace)
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    return {**document, "roleRef": reference, "subjects": subjects}


def _bind_role(
    home: Home,
    kind: str,
    name: str,
    namespace: str,
    rules: list[RawDocument],
    subjects: list[RawDocument],
) -> list[RawDocument]:
    role = _object(f"{RBAC}/v1", kind, name, home, namespace)
    binding = _object(f"{RBAC}/v1", f"{kind}Binding", name, home, namespace)
    reference = {"apiGroup": RBAC, "kind": kind, "name": name}
    return [{**role, "rules": rules}, {**binding, "roleRef": reference, "subjects": subjects}]


def _object(api_version: str, kind: str, name: str, home: Home, namespace: str = "") -> RawDocument:
    """On the member."""
    return build_object(api_version, kind, name, {LABEL_HOME: home.uid}, namespace)
