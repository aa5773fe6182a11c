"""Owns what registering a cluster makes, there and at home, as plain objects.

Nothing of it may be called mca-… in a tenant's namespace: guards keep that name for the controller.
Must not talk to a cluster.
"""

import base64
import json
from typing import Any, Final, NamedTuple

from webhook.enforcement.guarded import REGISTRATION
from webhook.install.names import CONTROLLER
from webhook.kube import RawDocument
from webhook.resources.names import API_VERSION, CREDENTIALS_TYPE, LABEL_TENANT

ACCESS_NAMESPACE: Final = "mca-access"
TOKEN_REQUEST: Final = "token-request"  # noqa: S105 - the name of a form
AUDIENCE: Final = "audience"
SECRET: Final = "secret"  # noqa: S105 - the name of a form
FORMS: Final = (TOKEN_REQUEST, AUDIENCE, SECRET)
# Of everything that is made; on a member its value is the home's uid.
LABEL_CLUSTER: Final = "mca.io/cluster"
LABEL_HOME: Final = "mca.io/home"
USER_PREFIX: Final = "mca.io/user-prefix"
_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_EVERYTHING: Final = ("get", "list", "watch", "create", "update", "patch", "delete")
# What a Tenant brings to its namespaces on members.
_PROVISIONED: Final = (
    ("", ("namespaces", "serviceaccounts", "resourcequotas", "limitranges")),
    ("networking.k8s.io", ("networkpolicies",)),
    (_RBAC, ("roles", "rolebindings")),
)
# What a tenant's owners may be given there: an account can grant no more than it may bind.
_BINDABLE: Final = ("admin", "edit", "view")


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
    """On the member: its control plane puts a token of the account into it."""
    document = _object("v1", "Secret", f"{name}-token", home, ACCESS_NAMESPACE)
    document["metadata"]["annotations"] = {"kubernetes.io/service-account.name": name}
    return {**document, "type": "kubernetes.io/service-account-token"}


def build_looking(home: Home, subject: RawDocument, suffix: str = "") -> list[RawDocument]:
    """On the member: whether our guards and webhook are there may be seen, and nothing else."""
    name = f"{home.account}{suffix}"
    guards = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]
    rules = [
        _rule(_ADMISSION, guards, ["get", "list"]),
        _rule(_ADMISSION, ["mutatingwebhookconfigurations"], ["get"], [REGISTRATION]),
    ]
    return _bind_role(home, "ClusterRole", name, "", rules, [subject])


def build_provisioning(home: Home, subject: RawDocument) -> list[RawDocument]:
    """On the member: what a Tenant with onMembers makes there may be made."""
    rules = [_rule(group, list(kinds), list(_EVERYTHING)) for group, kinds in _PROVISIONED]
    rules.append(_rule(_RBAC, ["clusterroles"], ["bind"], list(_BINDABLE)))
    return _bind_role(home, "ClusterRole", f"{home.account}-tenants", "", rules, [subject])


def build_labelled(home: Home, namespace: str, labels: dict[str, str]) -> RawDocument:
    """On the member: a tenant's namespace. One that others have made stays theirs."""
    document = _object("v1", "Namespace", namespace, home)
    document["metadata"]["labels"] = labels
    return document


def build_tenant_account(home: Home, tenant: str, namespace: str, name: str) -> RawDocument:
    """On the member: an account, and whose it is; nothing else of it is touched."""
    annotations = {LABEL_HOME: home.uid, LABEL_TENANT: tenant}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def build_tokens(home: Home, namespace: str, accounts: list[str]) -> list[RawDocument]:
    """On the member: tokens may be asked for of these accounts, which are looked at before."""
    rules = [
        _rule("", ["serviceaccounts"], ["get"], accounts),
        _rule("", ["serviceaccounts/token"], ["create"], accounts),
    ]
    subject = {"kind": "ServiceAccount", "name": home.account, "namespace": ACCESS_NAMESPACE}
    return _bind_role(home, "Role", home.tokens, namespace, rules, [subject])


def build_grant(home: Home, namespace: str, role: str, subjects: list[RawDocument]) -> RawDocument:
    """On the member: these may do there what the cluster role allows."""
    document = _object(f"{_RBAC}/v1", "RoleBinding", f"home-{home.mark}-{role}", home, namespace)
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
    return {**document, "roleRef": reference, "subjects": subjects}


def name_user(user: str) -> RawDocument:
    """A subject that is no service account of the cluster."""
    return {"apiGroup": _RBAC, "kind": "User", "name": user}


def build_spec(form: str, name: str, audience: str) -> RawDocument:
    """Of a Cluster: its credentials."""
    secret = {"secretRef": {"name": name_secret(name)}}
    forms: dict[str, RawDocument] = {
        TOKEN_REQUEST: {"tokenRequest": secret},
        AUDIENCE: {"audience": {"name": audience} if audience else {}},
        SECRET: secret,
    }
    return {"credentials": forms[form]}


def build_registration(name: str, spec: RawDocument, prefix: str) -> RawDocument:
    """At home: the Cluster."""
    document = _at_home(API_VERSION, "Cluster", name, name, "")
    if prefix:
        document["metadata"]["annotations"] = {USER_PREFIX: prefix}
    return {**document, "spec": spec}


def build_credential(home: Home, name: str, kubeconfig: str, tenant: str) -> list[RawDocument]:
    """At home: the Secret with the credential, and leave for the controller to read this one."""
    secret_name = name_secret(name)
    secret = _at_home("v1", "Secret", secret_name, name, home.system)
    if tenant:
        secret["metadata"]["annotations"] = {LABEL_TENANT: tenant}
    content = base64.b64encode(kubeconfig.encode()).decode()
    role = _at_home(f"{_RBAC}/v1", "Role", secret_name, name, home.system)
    binding = _at_home(f"{_RBAC}/v1", "RoleBinding", secret_name, name, home.system)
    subject = {"kind": "ServiceAccount", "name": CONTROLLER, "namespace": home.system}
    return [
        {**secret, "type": CREDENTIALS_TYPE, "data": {"kubeconfig": content}},
        {**role, "rules": [_rule("", ["secrets"], ["get"], [secret_name])]},
        {
            **binding,
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": secret_name},
            "subjects": [subject],
        },
    ]


def name_secret(cluster: str) -> str:
    """The Secret of a Cluster at home; its Role and RoleBinding are called the same."""
    return f"mca-cluster-{cluster}"


def render_kubeconfig(server: str, ca_bundle: str, token: str) -> str:
    """Inline, and for one server: it is of no use anywhere else."""
    cluster = {"server": server, "certificate-authority-data": ca_bundle}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "member",
            "clusters": [{"name": "member", "cluster": cluster}],
            "users": [{"name": "mca", "user": {"token": token}}],
            "contexts": [{"name": "member", "context": {"cluster": "member", "user": "mca"}}],
        }
    )


def _bind_role(
    home: Home,
    kind: str,
    name: str,
    namespace: str,
    rules: list[RawDocument],
    subjects: list[RawDocument],
) -> list[RawDocument]:
    role = _object(f"{_RBAC}/v1", kind, name, home, namespace)
    binding = _object(f"{_RBAC}/v1", f"{kind}Binding", name, home, namespace)
    reference = {"apiGroup": _RBAC, "kind": kind, "name": name}
    return [{**role, "rules": rules}, {**binding, "roleRef": reference, "subjects": subjects}]


def _rule(
    group: str, resources: list[str], verbs: list[str], names: list[str] | None = None
) -> RawDocument:
    rule: dict[str, Any] = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return rule | ({"resourceNames": names} if names else {})


def _object(api_version: str, kind: str, name: str, home: Home, namespace: str = "") -> RawDocument:
    """On the member."""
    return _describe(api_version, kind, name, {LABEL_HOME: home.uid}, namespace)


def _at_home(api_version: str, kind: str, name: str, cluster: str, namespace: str) -> RawDocument:
    # A label of a Cluster is a label of the member, in snapshots: it gets none.
    labels = {} if kind == "Cluster" else {LABEL_CLUSTER: cluster}
    return _describe(api_version, kind, name, labels, namespace)


def _describe(
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
