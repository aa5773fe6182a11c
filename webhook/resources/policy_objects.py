"""Owns the two objects of a namespace, ConfigMap and RoleBinding: how they are, how they should be.

Pure. Must not decide what stands in a snapshot.
"""

import hashlib
import json
from typing import Any, Final, NamedTuple

from webhook.resources.meta import RawDocument
from webhook.resources.names import OUR_LABELS, POLICY, POLICY_KEY, POLICY_READER, REVISION

MANAGER: Final = "mca-controller-policies"
_RBAC: Final = "rbac.authorization.k8s.io"
# Whoever made an object may have written a quarter of a megabyte there.
_LONGEST_REVISION: Final = 64


class Stored(NamedTuple):
    """What matters of one that is there. `flaws` are what is to be told of one that is replaced."""

    uid: str
    version: str
    digest: str  # of what it says
    revision: str = ""  # of the snapshot, as the ConfigMap tells
    ours: bool = True
    flaws: tuple[str, ...] = ()
    frozen: bool = False  # it cannot be written, only replaced
    held: bool = False  # it has finalizers
    deleting: bool = False


class Wanted(NamedTuple):
    """One as it should be."""

    body: RawDocument
    digest: str


def build_map(namespace: str, revision: str, content: str) -> Wanted:
    """The ConfigMap with a snapshot."""
    data = {POLICY_KEY: content}
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _describe(namespace, {REVISION: revision}),
        "data": data,
    }
    return Wanted(body, _digest([data, None]))


def build_binding(namespace: str) -> Wanted:
    """What lets the service accounts of a namespace read and watch that ConfigMap, and no other."""
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": POLICY_READER}
    group = f"system:serviceaccounts:{namespace}"
    subjects = [{"apiGroup": _RBAC, "kind": "Group", "name": group}]
    body = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": _describe(namespace, {}),
        "roleRef": role,
        "subjects": subjects,
    }
    return Wanted(body, _digest([role, subjects]))


def keep_map(raw: RawDocument) -> Stored:
    """Of a ConfigMap. One that is frozen is no more ours, whatever it says: it may not stay so."""
    frozen = raw.get("immutable") is True
    said = _digest([raw.get("data") or {}, raw.get("binaryData") or None])
    return _keep(raw, said, frozen=frozen)


def keep_binding(raw: RawDocument) -> Stored:
    """Of a RoleBinding. Whom it is for may be written anew, what it gives never."""
    role, subjects = raw.get("roleRef") or {}, raw.get("subjects") or []
    frozen = role.get("name") != POLICY_READER or role.get("kind") != "ClusterRole"
    return _keep(raw, _digest([role, subjects]), frozen=frozen)


def _describe(namespace: str, annotations: dict[str, str]) -> RawDocument:
    metadata: RawDocument = {"name": POLICY, "namespace": namespace, "labels": OUR_LABELS}
    return {**metadata, "annotations": annotations} if annotations else metadata


def _keep(raw: RawDocument, digest: str, *, frozen: bool) -> Stored:
    metadata = raw.get("metadata") or {}
    labels = metadata.get("labels") or {}
    ours = all(labels.get(key) == text for key, text in OUR_LABELS.items())
    flaws = {
        "cannot be changed": frozen,
        "has not our labels": not ours,
        "has an owner, with which it would be collected": bool(metadata.get("ownerReferences")),
        "has a finalizer": bool(metadata.get("finalizers")),
    }
    revision = (metadata.get("annotations") or {}).get(REVISION)
    return Stored(
        uid=str(metadata.get("uid") or ""),
        version=str(metadata.get("resourceVersion") or ""),
        digest=digest,
        revision=revision[:_LONGEST_REVISION] if isinstance(revision, str) else "",
        ours=ours,
        flaws=tuple(flaw for flaw, found in flaws.items() if found),
        frozen=frozen,
        held=bool(metadata.get("finalizers")),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def _digest(said: Any) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
