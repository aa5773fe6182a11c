"""Owns how commands read MCA's objects at home: one, or all of a kind, and what they then say.

Must not write.
"""

from http import HTTPStatus
from typing import Any, Final

from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.conditions import Condition, read_conditions
from webhook.resources.meta import read_meta
from webhook.resources.names import GROUP

_PAGE: Final = "500"
_OUTDATED: Final = "Outdated"
_CHANGED: Final = "it was changed, and no controller has looked at it since"
_STATUSES: Final = {True: "yes", False: "no", None: "unknown"}


def list_documents(kube: Kube, path: str, **query: str) -> list[RawDocument]:
    """All of a kind, page by page."""
    found: list[RawDocument] = []
    asked = {**query, "limit": _PAGE}
    while True:
        try:
            page = kube.request("GET", path, query=asked).document
        except KubeError as error:
            if error.status == HTTPStatus.NOT_FOUND and f"/{GROUP}/" in path:
                told = f"{kube.server} knows no Clusters, Tenants and Routes: run mca install first"
                raise KubeError(error.status, error.reason, told) from None
            raise
        for item in page.get("items") or ():
            item["metadata"].pop("managedFields", None)  # as kubectl leaves it out
            found.append(item)
        asked["continue"] = page["metadata"].get("continue") or ""
        if not asked["continue"]:
            return found


def find_document(kube: Kube, path: str) -> RawDocument | None:
    """One object; None: there is none."""
    try:
        return kube.request("GET", path).document
    except KubeError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def read_today(document: RawDocument) -> dict[str, Condition]:
    """Its conditions. One of an earlier generation says nothing of what is stated now."""
    generation = read_meta(document).generation
    return {
        kind: condition
        if condition.observed_generation == generation
        else condition._replace(status=None, reason=_OUTDATED, message=_CHANGED)
        for kind, condition in read_conditions(document).items()
    }


def say(document: RawDocument, kind: str) -> str:
    """A condition as yes, no with its reason, or unknown; empty where it is not there."""
    condition = read_today(document).get(kind)
    if condition is None:
        return ""
    told = _STATUSES[condition.status]
    return told if condition.status else f"{told} ({condition.reason})"


def read_status(document: RawDocument, key: str) -> Any:
    """A field of the status."""
    return (document.get("status") or {}).get(key)
