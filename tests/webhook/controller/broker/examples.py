"""HomeObjects as an API server has them, and tokens as it makes them, but for the signature.

Owns good ones. Must not know what the broker says of them.
"""

import base64
import json
import time
from typing import Any

from webhook.admission.injection import inject
from webhook.admission.outcome import Injected, read_namespace
from webhook.admission.settings import InjectionSettings
from webhook.controller.broker.reviews import Identity
from webhook.enforcement.injected import Trust

IMAGE = f"registry.example.com/mca@sha256:{'3' * 64}"
BROKER = "https://mca-broker.mca-system.svc:8444"
TRUST = Trust(frozenset({IMAGE}), frozenset({"vault"}), BROKER)
INJECTION = InjectionSettings(image=IMAGE, policy="controller", broker=BROKER)
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
IDENTITY = Identity("team-a", "app", "web-0", "pod-uid")
TENANT_UID = "tenant-uid"


def encode(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def make_claims(**changes: Any) -> dict[str, Any]:
    """Of a sidecar's token; a change of None leaves it out."""
    now = int(time.time())
    claims = {
        "aud": ["mca.io/broker"],
        "iat": now,
        "exp": now + 3600,
        "kubernetes.io": {
            "namespace": IDENTITY.namespace,
            "pod": {"name": IDENTITY.pod, "uid": IDENTITY.pod_uid},
            "serviceaccount": {"name": IDENTITY.account, "uid": "account-uid"},
        },
        **changes,
    }
    return {key: value for key, value in claims.items() if value is not None}


def sign(claims: Any) -> str:
    """A token that no API server made."""
    parts = ({"alg": "RS256"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
    return ".".join([*(part.decode().rstrip("=") for part in encoded), "c2lnbmF0dXJl"])


def make_pod(injection: InjectionSettings = INJECTION, **spec: Any) -> dict[str, Any]:
    """As it is stored: injected, running."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": IDENTITY.pod, "namespace": IDENTITY.namespace},
        "spec": {
            "serviceAccountName": IDENTITY.account,
            "containers": [{"name": "app", "image": "app"}],
            **spec,
        },
    }
    labels = {"mca.io/injection": "enabled", "mca.io/boundary": "enforced"}
    injected = inject(pod, read_namespace(labels), injection, offline=True)
    assert isinstance(injected, Injected), injected
    stored = dict(injected.pod)
    stored["metadata"] = {**stored["metadata"], "uid": IDENTITY.pod_uid}
    return {**stored, "status": {"phase": "Running"}}


def make_namespace(**metadata: Any) -> dict[str, Any]:
    """Enforced, claimed by the Tenant."""
    labels = {
        "mca.io/injection": "enabled",
        "mca.io/boundary": "enforced",
        "mca.io/tenant": "acme",
    }
    usual = {
        "name": IDENTITY.namespace,
        "labels": labels,
        "annotations": {"mca.io/tenant-uid": TENANT_UID},
    }
    return {"metadata": {**usual, **metadata}}


def make_tenant(metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """With one namespace and two clusters."""
    return {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Tenant",
        "metadata": {"name": "acme", "uid": TENANT_UID, "generation": 1, **(metadata or {})},
        "spec": {
            "namespaces": {"names": [IDENTITY.namespace]},
            "clusters": ["eu-1", "eu-2"],
            "permissions": [
                {"name": "all", "effect": "allow", "verbs": ["*"], "groups": ["*"],
                 "resources": ["*"]},
            ],
            **spec,
        },
    }  # fmt: skip


def make_cluster(
    credentials: dict[str, Any] | None = None,
    status: str = "True",
    observed: int = 1,
    **metadata: Any,
) -> dict[str, Any]:
    """Accepted, its tokens are minted."""
    usual = {"tokenRequest": {"secretRef": {"name": "mca-cluster-eu-1"}}}
    accepted = {
        "type": "Accepted",
        "status": status,
        "reason": "Because",
        "observedGeneration": observed,
    }
    return {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "eu-1", "uid": "cluster-uid", "generation": 1, **metadata},
        "spec": {
            "server": "https://eu-1.example.com",
            "caBundle": encode(PEM),
            "credentials": credentials or usual,
        },
        "status": {"conditions": [accepted]},
    }
