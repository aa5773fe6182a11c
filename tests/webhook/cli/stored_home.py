"""A home that has what a test lays there, and a kubeconfig for it: what commands read and list.

Must not know what any command makes of it, nor take a write.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.scripted_server import Connection, ScriptedServer

Raw = dict[str, Any]
_PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Tenant": "/apis/mca.io/v1alpha1/tenants",
    "Cluster": "/apis/mca.io/v1alpha1/clusters",
    "Route": "/apis/mca.io/v1alpha1/routes",
}


class StoredHome:
    """`add` objects; `kubeconfig` is what a command is given."""

    def __init__(self, folder: Path) -> None:
        self._server = ScriptedServer(self._serve)
        self._objects: list[Raw] = []
        self.kubeconfig = folder / "home.kubeconfig"
        self._ca = folder / "home.crt"

    def add(self, *documents: Raw) -> None:
        self._objects += documents

    @property
    def methods(self) -> set[bytes]:
        """Of all that was asked."""
        return {request.method for request in self._server.requests}

    def __enter__(self) -> Self:
        self._server.__enter__()
        self._ca.write_text(self._server.authority.pem)
        cluster = {"server": self._server.url, "certificate-authority": str(self._ca)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "home",
            "contexts": [{"name": "home", "context": {"cluster": "home", "user": "admin"}}],
            "clusters": [{"name": "home", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": "t"}}],
        }
        self.kubeconfig.write_text(json.dumps(document))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _serve(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            path = request.target.decode().partition("?")[0]
            found = self._find(path)
            connection.answer(404 if found is None else 200, found or {"kind": "Status"})

    def _find(self, path: str) -> Raw | None:
        """The object of this path, or the list."""
        for document in self._objects:
            if path == f"{_PATHS[document['kind']]}/{document['metadata']['name']}":
                return document
        for kind, listed in _PATHS.items():
            root, _, plural = listed.rpartition("/")
            space = path.removeprefix(f"{root}/namespaces/").removesuffix(f"/{plural}")
            if path == listed or (kind == "Route" and path == f"{root}/namespaces/{space}/routes"):
                found = [each for each in self._objects if each["kind"] == kind]
                if path != listed:
                    found = [each for each in found if each["metadata"]["namespace"] == space]
                return {"metadata": {}, "items": found}
        return None
