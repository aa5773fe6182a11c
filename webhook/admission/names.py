"""Owns the names that injection gives and takes: containers, volumes, labels, annotations, paths.

Must not know what is done with them.
"""

from typing import Final

SIDECAR: Final = "mca"

IDENTITY_VOLUME: Final = "mca-identity"
CLIENTS_VOLUME: Final = "mca-clients"
TOKEN_VOLUME: Final = "mca-token"  # noqa: S105 - the name of a volume
VOLUMES: Final = (IDENTITY_VOLUME, CLIENTS_VOLUME, TOKEN_VOLUME)

SERVICE_ACCOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
IDENTITY_PATH: Final = "/var/run/mca/identity"
CLIENTS_PATH: Final = "/var/run/mca/clients"
# Whole volumes, and where the sidecar has them.
SIDECAR_MOUNTS: Final = {
    IDENTITY_VOLUME: IDENTITY_PATH,
    CLIENTS_VOLUME: CLIENTS_PATH,
    TOKEN_VOLUME: SERVICE_ACCOUNT_PATH,
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
VARIABLE_PATTERNS: Final = {
    "MCA_CONTAINERS": r"^[a-z0-9,-]*$",
    "MCA_API_LISTEN": f"^{_LOOPBACK}(,{_LOOPBACK})*$",
    "MCA_ADMIN_LISTEN": r"^\[::\]:[0-9]{1,5}$",
    "MCA_LOG_LEVEL": "^[a-z]*$",
}
# What the API server's own plugin calls the volume that it adds.
API_ACCESS_PREFIX: Final = "kube-api-access-"

LABEL_INJECTION: Final = "mca.io/injection"
LABEL_BOUNDARY: Final = "mca.io/boundary"
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
