"""Owns how objects are put into a cluster one by one, each told, and what is said where it stops.

Doing it again changes nothing. Must not know what the objects are for.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from webhook.cli.arguments import tell
from webhook.cli.install.applying import explain_refusal
from webhook.cli.install.objects_there import METADATA_ONLY
from webhook.cli.install.paths import find_path as find_installed_path, name_object
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.names import API_VERSION, object_path

# Not `mca install`'s: what that has applied, it also deletes.
MANAGER: Final = "mca-cluster"
_CALL_S: Final = 15.0


class StepError(Exception):
    """It stops here; the text says why, line by line."""


class Steps:
    """In one cluster, which is called `place` for who reads along."""

    def __init__(self, kube: Kube, place: str) -> None:
        self.kube: Final = kube
        self.place: Final = place
        self.done: Final[list[str]] = []

    def apply(self, documents: Iterable[RawDocument]) -> None:
        """Apply them in their order."""
        for document in documents:
            self.apply_one(document)

    def apply_one(self, document: RawDocument) -> RawDocument:
        """Apply one; as it is then."""
        path = find_path(document)
        try:
            before = self.find(path)
            answer = self.kube.request(
                "PATCH",
                path,
                document,
                query={"fieldManager": MANAGER, "fieldValidation": "Strict"},
                content_type="application/apply-patch+yaml",
                timeout_s=_CALL_S,
            )
        except KubeError as error:
            wrong, remedy = explain_refusal(document, error)
            raise StepError(f"{self.place}: {name_object(document)}: {wrong}\n  {remedy}") from None
        after = answer.document["metadata"]
        outcome = "created" if before is None else "configured"
        if before is not None and before.get("resourceVersion") == after.get("resourceVersion"):
            outcome = "unchanged"
        self.tell(f"{name_object(document)} {outcome}")
        return answer.document

    def delete(self, document: RawDocument) -> None:
        """What is not there is as good as deleted."""
        try:
            self.kube.request("DELETE", find_path(document), timeout_s=_CALL_S)
        except KubeError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return
            told = f"{self.place}: {name_object(document)}: {error}"
            raise StepError(told) from None
        self.tell(f"{name_object(document)} deleted")

    def find(self, path: str) -> RawDocument | None:
        """The metadata of what is there; values of Secrets do not come here."""
        try:
            found = self.kube.request("GET", path, accept=METADATA_ONLY, timeout_s=_CALL_S)
        except KubeError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return dict(found.document["metadata"])

    def tell(self, text: str) -> None:
        """One step, done."""
        self.done.append(text)
        tell([f"  {self.place}: {text}"])


def find_path(document: RawDocument) -> str:
    """Of one object, MCA's own kinds too."""
    if document["apiVersion"] == API_VERSION:
        return object_path(document["kind"], document["metadata"]["name"])
    return find_installed_path(document)
