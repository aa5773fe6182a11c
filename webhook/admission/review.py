"""Owns the AdmissionReview: its bytes in, its bytes out, whatever came in.

Must not decide about a pod: injection.py does. Nothing that is sent here raises: it is answered,
and what cannot be read is not allowed.
"""

import binascii
import json
from typing import Any, Final, NamedTuple

from webhook.admission.injection import Patch, plan_patch
from webhook.admission.outcome import Namespace, Refusal, Skip
from webhook.admission.provision import FindMembers, NoMembers
from webhook.admission.settings import InjectionSettings

_API_VERSION: Final = "admission.k8s.io/v1"
_MAX_WARNING: Final = 256  # the API server cuts longer ones where there are many
# What is written comes from JSON, or was made here: it has no circles.
_encode_json: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_MAX_MESSAGE: Final = 4096
# Of a pod with 1,000 containers it is less than 1 MiB; names can be long, they are judged later.
_MAX_PATCH: Final = 2 << 20
_TOO_LARGE: Final = Refusal(
    "too-large", "what injection adds to this pod is too large: give its containers shorter names"
)
_NO_MEMBERS: Final = NoMembers().find
_POD: Final = {"group": "", "version": "v1", "kind": "Pod"}


class Reviewed(NamedTuple):
    """The answer's body, and what is counted of it."""

    body: bytes
    result: str  # injected, unchanged, passed, skipped, refused, malformed
    code: str


class _Request(NamedTuple):
    uid: str
    namespace: str
    pod: dict[str, Any] | None  # None: this is nothing to inject into


def review(
    body: bytes | bytearray,
    namespace: Namespace,
    settings: InjectionSettings,
    find_members: FindMembers = _NO_MEMBERS,
) -> Reviewed:
    """Answer one AdmissionReview of a namespace of this kind."""
    try:
        request = _read(body)
    except _MalformedError as error:
        status = _deny(Refusal("malformed", str(error)), 400, "BadRequest")
        return Reviewed(_render(error.uid, allowed=False, status=status), "malformed", "malformed")
    if request.pod is None:
        return Reviewed(_render(request.uid, allowed=True), "passed", "")
    outcome = plan_patch(request.pod, namespace, settings, find_members(request.namespace))
    match outcome:
        case Patch(operations, warnings):
            encoded = _encode(operations)
            if len(encoded.get("patch", "")) > _MAX_PATCH:
                return _refuse(request.uid, _TOO_LARGE)
            rendered = _render(request.uid, allowed=True, warnings=_cut(warnings), **encoded)
            return Reviewed(rendered, "injected" if operations else "unchanged", "")
        case Skip(code, reason):
            told = _cut((f"mca {code}: no sidecar for this pod: {reason}",))
            return Reviewed(_render(request.uid, allowed=True, warnings=told), "skipped", code)
        case Refusal():
            return _refuse(request.uid, outcome)


def _refuse(uid: str, refusal: Refusal) -> Reviewed:
    status = _deny(refusal, 403, "Forbidden")
    return Reviewed(_render(uid, allowed=False, status=status), "refused", refusal.code)


def refuse_busy(uid: str, namespace: str) -> Reviewed:
    """The answer to a review for which there is no room; the API server passes its delay on."""
    refusal = Refusal(
        "busy",
        f"too many pods of namespace {namespace or '(unknown)'} are being created at this moment:"
        " create it again in a second",
    )
    status = {**_deny(refusal, 429, "TooManyRequests"), "details": {"retryAfterSeconds": 1}}
    return Reviewed(_render(uid, allowed=False, status=status), "refused", refusal.code)


class _MalformedError(ValueError):
    def __init__(self, message: str, uid: str = "") -> None:
        super().__init__(message)
        self.uid = uid


def _read(body: bytes | bytearray) -> _Request:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _MalformedError("the body is not JSON: send an AdmissionReview") from None
    if not isinstance(document, dict) or document.get("kind") != "AdmissionReview":
        raise _MalformedError("this is not an AdmissionReview")
    if document.get("apiVersion") != _API_VERSION:
        raise _MalformedError(f"apiVersion is not {_API_VERSION}: list only v1 in the webhook")
    request = document.get("request")
    uid = request.get("uid") if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(uid, str) or not uid:
        raise _MalformedError("request.uid is missing")
    if (
        request.get("operation") != "CREATE"
        or request.get("kind") != _POD
        or request.get("subResource")
    ):
        return _Request(uid, "", None)
    pod, sender = request.get("object"), request.get("namespace")
    if not isinstance(pod, dict):
        raise _MalformedError("request.object is not a pod", uid)
    return _Request(uid, sender if isinstance(sender, str) else "", pod)


def _encode(operations: list[dict[str, Any]]) -> dict[str, str]:
    if not operations:
        return {}
    text = _encode_json(operations).encode()
    encoded = binascii.b2a_base64(text, newline=False).decode()
    return {"patchType": "JSONPatch", "patch": encoded}


def _cut(texts: tuple[str, ...], most: int = _MAX_WARNING) -> list[str]:
    return [text if len(text) <= most else text[: most - 1] + "…" for text in texts]


def _deny(refusal: Refusal, code: int, reason: str) -> dict[str, Any]:
    message = f"mca {refusal.code}: {refusal.reason}"
    return {"code": code, "reason": reason, "message": _cut((message,), _MAX_MESSAGE)[0]}


def _render(uid: str, *, allowed: bool, **fields: Any) -> bytes:
    response = {
        "uid": uid,
        "allowed": allowed,
        **{key: value for key, value in fields.items() if value},
    }
    document = {"apiVersion": _API_VERSION, "kind": "AdmissionReview", "response": response}
    return _encode_json(document).encode()
