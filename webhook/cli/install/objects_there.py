"""Owns the search for what an installation has put into a cluster, and who put it there.

Only metadata is asked for: no value of a Secret comes here. Must not change anything.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, NamedTuple

from webhook.admission.outcome import RawObject
from webhook.cli.install.paths import KINDS, find_collection
from webhook.install.names import APP
from webhook.kube import Kube, KubeError

MANAGER: Final = "mca"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
LISTS_OF_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_OURS: Final = f"app.kubernetes.io/part-of={APP}"
_HELM_RELEASE: Final = "meta.helm.sh/release-name"


class There(NamedTuple):
    """An object by its kind and its metadata."""

    api_version: str
    kind: str
    metadata: RawObject

    def document(self) -> RawObject:
        """As far as it is known."""
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": self.metadata}


def find_objects(kube: Kube, system: str) -> list[There]:
    """Everything labelled as part of MCA; kinds whose operator is not there have none."""
    return [
        There(api_version, kind, metadata)
        for api_version, kind in KINDS
        for metadata in list_metadata(kube, find_collection(api_version, kind, system), _OURS)
    ]


def list_metadata(kube: Kube, path: str, selector: str) -> Iterator[RawObject]:
    """Of all objects of a kind with such labels; none where there is no such kind."""
    query = {"labelSelector": selector}
    try:
        answer = kube.request("GET", path, query=query, accept=LISTS_OF_METADATA)
    except KubeError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return
    for item in answer.document.get("items") or ():  # of metadata alone, none is null
        yield item["metadata"]


def is_applied_by_us(metadata: RawObject) -> bool:
    """Whether `mca install` has applied it: others may have made it with kubectl or Helm."""
    return any(
        entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
        for entry in metadata.get("managedFields") or ()
    )


def find_release(metadata: RawObject) -> str:
    """The Helm release that it belongs to; empty if none."""
    return str((metadata.get("annotations") or {}).get(_HELM_RELEASE) or "")
