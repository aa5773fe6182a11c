"""Owns the look at the sidecar's volumes in a pod that is there already: what MCA puts into each,
and nothing else.

It asks what the guard of new pods asks (webhook/guards/final_pods.py). Must not look at mounts.
"""

from webhook.admission.names import (
    BROKER_VOLUME,
    CLIENTS_VOLUME,
    IDENTITY_VOLUME,
    MEMBERS_VOLUME,
    POLICY_VOLUME,
    ROOT_CA,
    TOKEN_VOLUME,
)
from webhook.admission.outcome import RawObject
from webhook.guards.settings import API_SERVER
from webhook.resources.names import BROKER_AUDIENCE, POLICY


def is_our_volume(volume: RawObject) -> bool:
    """Of one that is called as ours are."""
    name = volume["name"]
    if name in (IDENTITY_VOLUME, CLIENTS_VOLUME):
        return (volume.get("emptyDir") or {}).get("medium") == "Memory"
    if name == POLICY_VOLUME:
        return (volume.get("configMap") or {}).get("name") == POLICY
    judge = _JUDGES.get(name)
    projected = volume.get("projected")
    if judge is None or projected is None:
        return False
    return all(map(judge, projected.get("sources") or ()))


def _is_home_source(source: RawObject) -> bool:
    """A token for the API server, its certificate, the namespace, each as one file."""
    token, text = source.get("serviceAccountToken"), source.get("configMap")
    if token is not None:
        return not token.get("audience") and token["path"] == "token"
    if text is not None:
        paths = {item["path"] for item in text.get("items") or ()}
        return text.get("name") == ROOT_CA and paths <= {"ca.crt"}
    return all(
        item["path"] == "namespace"
        and (item.get("fieldRef") or {}).get("fieldPath") == "metadata.namespace"
        for item in (source.get("downwardAPI") or {}).get("items") or [{"path": ""}]
    )


def _is_broker_source(source: RawObject) -> bool:
    token = source.get("serviceAccountToken") or {}
    return token.get("audience") == BROKER_AUDIENCE and token.get("path") == "token"


def _is_member_source(source: RawObject) -> bool:
    """A token that is neither this cluster's own nor the broker's."""
    token = source.get("serviceAccountToken") or {}
    audience = str(token.get("audience") or "")
    return (
        audience not in ("", BROKER_AUDIENCE)
        and not audience.startswith(API_SERVER)
        and str(token.get("path")).endswith("/token")
    )


_JUDGES = {
    TOKEN_VOLUME: _is_home_source,
    BROKER_VOLUME: _is_broker_source,
    MEMBERS_VOLUME: _is_member_source,
}
