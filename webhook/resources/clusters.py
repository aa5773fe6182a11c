"""Owns the reading of a Cluster: where a member is, how it is trusted, what is proven to it.

Must not judge whether the Cluster may be used: its status says so.
"""

import base64
import hashlib
import re
from typing import Final, NamedTuple

from sidecar.policy.fields import Check
from sidecar.policy.snapshot_clusters import read_clusters
from sidecar.policy.verdict import HOME
from webhook.resources.conditions import is_true_now
from webhook.resources.credentials import (
    AUDIENCE_PREFIX,
    Audience,
    Credentials,
    SecretRef,
    TokenRequest,
    read_credentials,
)
from webhook.resources.meta import Invalid, Meta, RawDocument, mapping, read_meta
from webhook.resources.names import MEMBERS_FOLDER
from webhook.resources.readings import as_fields, given, problems_of

__all__ = (
    "Audience",
    "Cluster",
    "Credentials",
    "SecretRef",
    "TokenRequest",
    "parse_cluster",
    "token_file",
)

ACCEPTED: Final = "Accepted"
READY: Final = "Ready"
ENFORCED: Final = "Enforced"
RESERVED_PREFIX: Final = "mca-"
# The annotation of a Cluster whose server and CA come from a ClusterProfile.
PROFILE: Final = "mca.io/cluster-profile"

_SPARED_LABELS: Final = re.compile(r"(?:[a-z0-9.-]+\.)?(?:kubernetes|k8s)\.io/")
_MAX_LABELS: Final = 64
_HOME: Final = {
    "name": HOME,
    "server": "https://kubernetes.default.svc",
    "caBundle": {"caFile": "/ca.crt"},
    "credentials": {"tokenFile": "/token"},
}
_PLACES: Final = {
    "clusters[1].name": "metadata.name",
    "clusters[1].labels": "metadata.labels",
    "clusters[1]": "spec",
}


class Cluster(NamedTuple):
    """A member. `labels`, `health_check` and `limits` are as a snapshot has them."""

    meta: Meta
    server: str
    ca_bundle: str
    credentials: Credentials
    tls_server_name: str = ""
    labels: dict[str, str] = {}  # noqa: RUF012 - nobody writes into it
    health_check: RawDocument | None = None
    limits: RawDocument | None = None
    accepted: bool = False
    enforced: bool = False

    @property
    def name(self) -> str:
        return self.meta.name

    @property
    def audience(self) -> str:
        """The audience of the tokens that it is shown; "" where others are shown."""
        if not isinstance(self.credentials, Audience):
            return ""
        return self.credentials.name or f"{AUDIENCE_PREFIX}{self.meta.uid}"

    @property
    def secret(self) -> str:
        """The Secret that its credentials come from; "" where nothing is stored."""
        return "" if isinstance(self.credentials, Audience) else self.credentials.secret

    @property
    def pem(self) -> bytes:
        """Its CA certificates."""
        return base64.b64decode(self.ca_bundle)

    @property
    def ca_digest(self) -> str:
        """By which a pod and the broker tell that they mean the same CA."""
        return hashlib.sha256(self.pem).hexdigest()


def parse_cluster(document: RawDocument) -> Cluster | Invalid:
    """The Cluster, or all that is wrong with it."""
    meta = read_meta(document)
    spec = mapping(document.get("spec"))
    labels = _choose_labels(meta.labels)
    problems = [*_judge_member(meta.name, spec, labels)]
    if meta.name == HOME or meta.name.startswith(RESERVED_PREFIX):
        problems.append("metadata.name: home and mca-… are for MCA itself: take another name")
    credentials = read_credentials(spec.get("credentials"))
    if isinstance(credentials, str):
        problems.append(credentials)
    if problems or isinstance(credentials, str):
        return Invalid(meta, tuple(problems))
    return Cluster(
        meta,
        spec["server"],
        spec["caBundle"],
        credentials,
        spec.get("tlsServerName") or "",
        labels,
        spec.get("healthCheck"),
        spec.get("limits"),
        accepted=is_true_now(document, ACCEPTED),
        enforced=is_true_now(document, ENFORCED),
    )


def token_file(name: str) -> str:
    """Where a sidecar finds the token that it shows to this member."""
    return f"{MEMBERS_FOLDER}/{name}/token"


def _judge_member(name: str, spec: RawDocument, labels: dict[str, str]) -> tuple[str, ...]:
    member = given(
        name=name,
        server=spec.get("server"),
        caBundle=spec.get("caBundle"),
        credentials={"tokenFile": token_file(name)},
        tlsServerName=spec.get("tlsServerName"),
        labels=labels,
        healthCheck=spec.get("healthCheck"),
        limits=spec.get("limits"),
    )
    check = Check()
    read_clusters(check, as_fields([_HOME, member]))
    if isinstance(spec.get("caBundle"), dict):
        check.fail("clusters[1].caBundle", "must be the CA certificates as base64 of PEM")
    # Of a name that is no label, its path below the members' folder says nothing more.
    check.errors = [told for told in check.errors if ".credentials" not in told]
    return problems_of(check, _PLACES)


def _choose_labels(labels: dict[str, str]) -> dict[str, str]:
    """Those that somebody chose for the cluster, and no more than a snapshot holds."""
    chosen = sorted(key for key in labels if _SPARED_LABELS.match(key) is None)
    return {key: labels[key] for key in chosen[:_MAX_LABELS]}
