"""Owns the ConfigMap mca-status: what each replica has heard of sidecars, and the leader's sums.

One object, whose name is all that the controller's rights are for; each key has one writer. Must
not know what stands in a key.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from webhook.kube import Kube, KubeError
from webhook.resources.meta import texts
from webhook.resources.names import OUR_LABELS

MANAGER: Final = "mca-controller-sidecars"
STATUS_MAP: Final = "mca-status"
STATUS_KEY: Final = "status.json"
_REPLICA: Final = "replica."
_MERGE: Final = "application/merge-patch+json"
_CALL_S: Final = 10.0
_NOT_FOUND: Final = 404


class StatusMap(NamedTuple):
    """Every call may raise KubeError."""

    kube: Kube
    namespace: str

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps/{STATUS_MAP}"

    def read(self) -> dict[str, str]:
        """All keys."""
        try:
            found = self.kube.request("GET", self._path, timeout_s=_CALL_S).document
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return {}
            raise
        return texts(found.get("data"))

    def write(self, keys: Mapping[str, str | None]) -> None:
        """Set these, or take them out; all others stay."""
        try:
            self._patch(keys)
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise
            # By apply, for which rights are asked by its name.
            metadata = {"name": STATUS_MAP, "namespace": self.namespace, "labels": OUR_LABELS}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            self.kube.apply(self._path, body, MANAGER)
            self._patch(keys)

    def _patch(self, keys: Mapping[str, str | None]) -> None:
        self.kube.request(
            "PATCH",
            self._path,
            {"data": dict(keys)},
            query={"fieldManager": MANAGER},
            content_type=_MERGE,
            timeout_s=_CALL_S,
        )


def replica_key(identity: str) -> str:
    """Where one replica writes."""
    return f"{_REPLICA}{identity}.json"


def select_replicas(data: Mapping[str, str]) -> dict[str, str]:
    """What replicas have written, by their keys."""
    return {key: text for key, text in data.items() if key.startswith(_REPLICA)}
