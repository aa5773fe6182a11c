"""Owns what a token says of itself, before anybody was asked whether it is true.

What cannot be a sidecar's token is refused without a call. Must not be believed: reviews.py has the
API server judge the token, and compares.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeGuard

from webhook.controller.broker.refusals import RefusedError
from webhook.resources.names import BROKER_AUDIENCE

_MAX_TOKEN: Final = 8192
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
# What the kubelet asks for, for the volume that injection adds. A tenant could have asked for more,
# before its namespace was enforced.
_LONGEST_LIFE_S: Final = 3600 + 60
# For clocks that differ; the API server's own decides.
_LEEWAY_S: Final = 60


class Claimed(NamedTuple):
    """Whose token it claims to be, and until when."""

    namespace: str
    account: str
    pod: str
    pod_uid: str
    expires: float


def read_token(headers: Sequence[str]) -> str:
    """The one token of all `Authorization` headers."""
    if len(headers) != 1:
        told = "is missing" if not headers else "is given more than once"
        raise RefusedError("no-token", f"Authorization {told}: send one bearer token")
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() != "bearer" or len(token) > _MAX_TOKEN or _JWT.fullmatch(token) is None:
        raise RefusedError("no-token", "Authorization is no bearer token of a service account")
    return token


def read_bearer(token: str, now: float) -> Claimed:
    """Whose it is, if it can be a sidecar's at all."""
    claims = _decode(token)
    audiences, expires, issued = claims.get("aud"), claims.get("exp"), claims.get("iat")
    if audiences not in (BROKER_AUDIENCE, [BROKER_AUDIENCE]):  # RFC 7519 4.1.3: either form
        raise RefusedError("token", f"the token is not for the audience {BROKER_AUDIENCE} alone")
    if not _is_time(expires) or not _is_time(issued):
        raise RefusedError("token", "the token does not say from when until when it is valid")
    if expires <= now - _LEEWAY_S:
        raise RefusedError("token", "the token has expired: read its file again")
    if expires - issued > _LONGEST_LIFE_S:
        raise RefusedError("token", "the token is valid for longer than those of sidecars")
    bound = _mapping(claims.get("kubernetes.io"))
    account, pod = _mapping(bound.get("serviceaccount")), _mapping(bound.get("pod"))
    parts = (bound.get("namespace"), account.get("name"), pod.get("name"), pod.get("uid"))
    texts = [part for part in parts if isinstance(part, str) and part]
    if len(texts) != len(parts):
        raise RefusedError("token", "the token is not bound to a pod")
    namespace, name, pod_name, pod_uid = texts
    return Claimed(namespace, name, pod_name, pod_uid, float(expires))


def read_end(token: bytes) -> float:
    """When any token ends, in Unix time; one that does not say so never does."""
    try:
        expires = _decode(token.decode("ascii")).get("exp")
    except (RefusedError, IndexError, UnicodeDecodeError):
        return float("inf")
    return float(expires) if _is_time(expires) else float("inf")


def _decode(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise RefusedError("token", "the token cannot be read") from None
    return _mapping(claims)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40
