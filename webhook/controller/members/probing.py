"""Owns how a member is asked whether it answers, and what it has of our guards.

Must not judge, nor write, nor repeat what a member says: it is not trusted, and whoever names a
server in a profile could read there what another answers.
"""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

from webhook.enforcement.guarded import REGISTRATION, Lack, Stored, find_lack
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.meta import documents, read_meta

_CALL_S: Final = 5.0
_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_POLICIES: Final = "validatingadmissionpolicies"
_BINDINGS: Final = "validatingadmissionpolicybindings"
_REGISTERED: Final = f"{_ADMISSION}/mutatingwebhookconfigurations/{REGISTRATION}"
_OURS: Final = "app.kubernetes.io/name=mca"
_JSON: Final = "application/json"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_VERSION: Final = re.compile(r"v[0-9]+\.[0-9]+[0-9A-Za-z.+-]{0,60}")
_SHOWN: Final = 300


# By uid and version of each object: what has not changed is not compared again.
Mark = tuple[tuple[str, str], ...]


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


def fetch_mark(kube: Kube) -> Mark | Failed:
    """Of what there is of guards and webhook: a third of the work of fetching it."""
    try:
        listed = [*_list(kube, _POLICIES, _METADATA_LIST), *_list(kube, _BINDINGS, _METADATA_LIST)]
        registration = _find(kube, _REGISTERED, _METADATA)
    except KubeError as error:
        return _read_guard_failure(error)
    metas = [read_meta(each) for each in (*listed, *([registration] if registration else ()))]
    return tuple((meta.uid, meta.resource_version) for meta in metas)


def fetch_guards(kube: Kube) -> Stored | Failed:
    """What there is of guards and webhook."""
    try:
        # Of a shape that comparing can rely on: a member may answer anything.
        policies, bindings = (
            tuple(item for item in _list(kube, plural) if isinstance(item.get("spec"), dict))
            for plural in (_POLICIES, _BINDINGS)
        )
        return Stored(policies, bindings, _find(kube, _REGISTERED))
    except KubeError as error:
        return _read_guard_failure(error)


def judge_guards(stored: Stored) -> Lack | None:
    """What keeps the member from being guarded; a member may answer objects of any shape."""
    try:
        return find_lack(stored)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return Lack("GuardsDiffer", f"what it has cannot be read ({type(error).__name__})")


def _list(kube: Kube, plural: str, accept: str = _JSON) -> tuple[RawDocument, ...]:
    path, query = f"{_ADMISSION}/{plural}", {"labelSelector": _OURS}
    answer = kube.request("GET", path, query=query, accept=accept, timeout_s=_CALL_S)
    return tuple(item for item in documents(answer.document.get("items")) if read_meta(item).name)


def _find(kube: Kube, path: str, accept: str = _JSON) -> RawDocument | None:
    try:
        return kube.request("GET", path, accept=accept, timeout_s=_CALL_S).document
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def _read_guard_failure(error: KubeError) -> Failed:
    if error.status == HTTPStatus.FORBIDDEN:
        return Failed(
            "GuardsForbidden", "its guards may not be looked at: run mca cluster add again"
        )
    return _read_failure(error)


def _read_failure(error: KubeError) -> Failed:
    """By its code: what else a server says is for those who may ask it, not for this status."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return Failed("Unauthorized", "it does not take what it is shown: it answers 401")
    if error.status >= HTTPStatus.MULTIPLE_CHOICES:
        return Failed("Unreachable", f"it answers {error.status}")
    told = "".join(char if char.isprintable() else "?" for char in str(error))[:_SHOWN]
    return Failed("Unreachable", told)
