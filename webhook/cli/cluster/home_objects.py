"""Owns what registering a cluster makes at home, as plain objects.

Must not talk to a cluster.
"""

import base64
import json

from webhook.cli.cluster.identity import (
    AUDIENCE,
    LABEL_CLUSTER,
    RBAC,
    SECRET,
    TOKEN_REQUEST,
    USER_PREFIX,
    Home,
    build_object,
    build_rule,
    name_secret,
)
from webhook.kube import RawDocument
from webhook.resources.names import API_VERSION, CONTROLLER, CREDENTIALS_TYPE, LABEL_TENANT


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
    role = _at_home(f"{RBAC}/v1", "Role", secret_name, name, home.system)
    binding = _at_home(f"{RBAC}/v1", "RoleBinding", secret_name, name, home.system)
    subject = {"kind": "ServiceAccount", "name": CONTROLLER, "namespace": home.system}
    return [
        {**secret, "type": CREDENTIALS_TYPE, "data": {"kubeconfig": content}},
        {**role, "rules": [build_rule("", ["secrets"], ["get"], [secret_name])]},
        {
            **binding,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": secret_name},
            "subjects": [subject],
        },
    ]


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


def _at_home(api_version: str, kind: str, name: str, cluster: str, namespace: str) -> RawDocument:
    # A label of a Cluster is a label of the member, in snapshots: it gets none.
    labels = {} if kind == "Cluster" else {LABEL_CLUSTER: cluster}
    return build_object(api_version, kind, name, labels, namespace)
