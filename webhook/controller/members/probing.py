"""Owns how a member is asked whether it answers, and what it has of our guards.

Must not judge, nor write. What a member says is cut: it is not trusted.
"""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

from webhook.enforcement.guarded import REGISTRATION, Lack, Stored, find_lack
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.meta import documents, mapping

_CALL_S: Final = 5.0
_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_OURS: Final = "app.kubernetes.io/name=mca"
_VERSION: Final = re.compile(r"v[0-9]+\.[0-9]+[0-9A-Za-z.+-]{0,60}")
_SHOWN: Final = 300


class Answered(NamedTuple):
    """It did; the version is empty where it does not tell."""

    version: str
    latency_ms: int


class Failed(NamedTuple):
    """It did not, or not as it should; `reason` is stable."""

    reason: str
    message: str


def probe(kube: Kube, clock: Callable[[], float] = time.monotonic) -> Answered | Failed:
    """One call on a connection of its own."""
    began = clock()
    version = ""
    try:
        found = kube.request("GET", "/version", timeout_s=_CALL_S).document.get("gitVersion")
        version = found if isinstance(found, str) and _VERSION.fullmatch(found) else ""
    except KubeError as error:
        if error.status != HTTPStatus.FORBIDDEN:  # then it knows us, and tells nobody
            return _read_failure(error)
    return Answered(version, round((clock() - began) * 1000))


def fetch_guards(kube: Kube) -> Stored | Failed:
    """What there is of guards and webhook."""
    try:
        policies = _list(kube, "validatingadmissionpolicies")
        bindings = _list(kube, "validatingadmissionpolicybindings")
        registration = _find(kube, f"{_ADMISSION}/mutatingwebhookconfigurations/{REGISTRATION}")
    except KubeError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            told = "its guards may not be looked at: run mca cluster add again"
            return Failed("GuardsForbidden", told)
        return _read_failure(error)
    return Stored(policies, bindings, registration)


def judge_guards(stored: Stored) -> Lack | None:
    """What keeps the member from being guarded; a member may answer objects of any shape."""
    try:
        return find_lack(stored)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return Lack("GuardsDiffer", f"what it has cannot be read ({type(error).__name__})")


def _list(kube: Kube, plural: str) -> tuple[RawDocument, ...]:
    path = f"{_ADMISSION}/{plural}"
    answer = kube.request("GET", path, query={"labelSelector": _OURS}, timeout_s=_CALL_S)
    # Of a shape that comparing can rely on: a member may answer anything.
    return tuple(
        item
        for item in documents(answer.document.get("items"))
        if isinstance(mapping(item.get("metadata")).get("name"), str)
        and isinstance(item.get("spec"), dict)
    )


def _find(kube: Kube, path: str) -> RawDocument | None:
    try:
        return kube.request("GET", path, timeout_s=_CALL_S).document
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def _read_failure(error: KubeError) -> Failed:
    told = "".join(char if char.isprintable() else "?" for char in str(error))[:_SHOWN]
    if error.status == HTTPStatus.UNAUTHORIZED:
        return Failed("Unauthorized", f"it does not take what it is shown: {told}")
    return Failed("Unreachable", told)
