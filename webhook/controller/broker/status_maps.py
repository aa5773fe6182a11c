"""Owns the ConfigMaps in which replicas tell what they heard of sidecars, and the leader the sums.

In those of reports each replica has a key of its own, in that of the sums the leader. Must not know
what stands in a key.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from webhook.controller.broker.map_names import SHARDS
from webhook.kube import MERGE_PATCH, Kube, KubeError
from webhook.resources.meta import texts
from webhook.resources.names import OUR_LABELS

MANAGER: Final = "mca-controller-sidecars"
_CALL_S: Final = 10.0
_NOT_FOUND: Final = 404


class StatusMaps(NamedTuple):
    """Every call may raise KubeError."""

    kube: Kube
    namespace: str

    def read(self, name: str) -> dict[str, str]:
        """All keys of one."""
        try:
            found = self.kube.request("GET", self._find_path(name), timeout_s=_CALL_S).document
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return {}
            raise
        return texts(found.get("data"))

    def read_shards(self) -> dict[str, dict[str, str]]:
        """What all replicas have written."""
        return {shard: self.read(shard) for shard in SHARDS}

    def write(self, name: str, keys: Mapping[str, str | None]) -> None:
        """Set these, or take them out; all others stay."""
        try:
            self._patch(name, keys)
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise
            # By apply, for which rights are asked by its name.
            metadata = {"name": name, "namespace": self.namespace, "labels": OUR_LABELS}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            self.kube.apply(self._find_path(name), body, MANAGER)
            self._patch(name, keys)

    def _patch(self, name: str, keys: Mapping[str, str | None]) -> None:
        self.kube.request(
            "PATCH",
            self._find_path(name),
            {"data": dict(keys)},
            query={"fieldManager": MANAGER},
            content_type=MERGE_PATCH,
            timeout_s=_CALL_S,
        )

    def _find_path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps/{name}"
