"""Owns the names that injection gives and takes: containers, volumes, labels, annotations, paths.

Must not know what is done with them.
"""

from typing import Final

from webhook.resources.names import (
    LABEL_BOUNDARY as LABEL_BOUNDARY,
    LABEL_INJECTION as LABEL_INJECTION,
)

SIDECAR: Final = "mca"

IDENTITY_VOLUME: Final = "mca-identity"
CLIENTS_VOLUME: Final = "mca-clients"
TOKEN_VOLUME: Final = "mca-token"  # noqa: S105 - the name of a volume
POLICY_VOLUME: Final = "mca-policy"
BROKER_VOLUME: Final = "mca-broker"
MEMBERS_VOLUME: Final = "mca-members"
VOLUMES: Final = (
    IDENTITY_VOLUME, CLIENTS_VOLUME, TOKEN_VOLUME, POLICY_VOLUME, BROKER_VOLUME, MEMBERS_VOLUME,
)  # fmt: skip

SERVICE_ACCOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
IDENTITY_PATH: Final = "/var/run/mca/identity"
CLIENTS_PATH: Final = "/var/run/mca/clients"
POLICY_PATH: Final = "/var/run/mca/policy"
BROKER_PATH: Final = "/var/run/mca/broker"
MEMBERS_PATH: Final = "/var/run/mca/members"
# Whole volumes, and where the sidecar has them.
SIDECAR_MOUNTS: Final = {
    IDENTITY_VOLUME: IDENTITY_PATH,
    CLIENTS_VOLUME: CLIENTS_PATH,
    TOKEN_VOLUME: SERVICE_ACCOUNT_PATH,
    POLICY_VOLUME: POLICY_PATH,
    BROKER_VOLUME: BROKER_PATH,
    MEMBERS_VOLUME: MEMBERS_PATH,
}
# The ConfigMap that every namespace has, with the certificates of the API server.
ROOT_CA: Final = "kube-root-ca.crt"
# All that a sidecar is told: fields of its pod, and texts of these forms (RE2, for CEL as well).
VARIABLE_FIELDS: Final = {
    "MCA_NAMESPACE": "metadata.namespace",
    "MCA_POD": "metadata.name",
    "MCA_SERVICE_ACCOUNT": "spec.serviceAccountName",
}
_LOOPBACK: Final = r"(127[.]0[.]0[.]1|\[::1\]):[0-9]{1,5}"
_MEMBER: Final = (
    r'\{"name":"[a-z0-9-]+","server":"https://[^"\\]+","ca":"[0-9a-f]{64}"'
    r'(,"tlsServerName":"[a-zA-Z0-9.-]+")?\}'
)
VARIABLE_PATTERNS: Final = {
    "MCA_CONTAINERS": r"^[a-z0-9,-]*$",
    "MCA_API_LISTEN": f"^{_LOOPBACK}(,{_LOOPBACK})*$",
    "MCA_ADMIN_LISTEN": r"^\[::\]:[0-9]{1,5}$",
    "MCA_LOG_LEVEL": "^[a-z]*$",
    "MCA_SNAPSHOT": r"^/var/run/mca/policy/snapshot[.]v1[.]json$",
    "MCA_SNAPSHOT_WATCH": "^mca-policy$",
    "MCA_BROKER_TOKEN": "^/var/run/mca/broker/token$",
    "MCA_MEMBERS": rf"^\[({_MEMBER}(,{_MEMBER})*)?\]$",
}
# The broker's address differs between installations: whoever judges it knows the one.
BROKER_VARIABLE: Final = "MCA_BROKER"
# What a sidecar has that lives by the controller's policy.
POLICY_VARIABLES: Final = (
    "MCA_SNAPSHOT", "MCA_SNAPSHOT_WATCH", BROKER_VARIABLE, "MCA_BROKER_TOKEN", "MCA_MEMBERS",
)  # fmt: skip
# What the API server's own plugin calls the volume that it adds.
API_ACCESS_PREFIX: Final = "kube-api-access-"

LABEL_OPT_OUT: Final = "mca.io/opt-out"

ANNOTATION_PREFIX: Final = "mca.io/"
INJECT: Final = "mca.io/inject"
CONTAINERS: Final = "mca.io/containers"
PORTS: Final = "mca.io/ports"
CAPTURE: Final = "mca.io/capture"
LOG_LEVEL: Final = "mca.io/log-level"
CPU_REQUEST: Final = "mca.io/cpu-request"
MEMORY_REQUEST: Final = "mca.io/memory-request"
CPU_LIMIT: Final = "mca.io/cpu-limit"
MEMORY_LIMIT: Final = "mca.io/memory-limit"
ANNOTATIONS: Final = (
    INJECT, CONTAINERS, CAPTURE, PORTS, LOG_LEVEL,
    CPU_REQUEST, MEMORY_REQUEST, CPU_LIMIT, MEMORY_LIMIT,
)  # fmt: skip


def is_ours(name: str) -> bool:
    """Whether a name of a container, volume or object is kept for MCA."""
    return name.startswith(SIDECAR) and name[len(SIDECAR) :][:1] in ("", "-")
