"""A world without a server: its stores are filled by hand, by objects as a server has them."""

import base64
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from tests.controlplane.certificates import Authority
from webhook.controller.engine.settings import ControllerSettings
from webhook.controller.engine.world import Kept, World, keep_namespace
from webhook.controller.policies.route_shelf import RouteShelf
from webhook.kube import Kube, RawDocument, open_kubeconfig
from webhook.resources.clusters import parse_cluster
from webhook.resources.tenants import parse_tenant


class Land:
    """One world, and how objects come into it and change. `kube` is for who writes, too."""

    def __init__(self, folder: Path, kube: Kube | None = None, **settings: Any) -> None:
        path = folder / "config"
        path.write_text(
            json.dumps(
                {
                    "current-context": "c",
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                    "users": [{"name": "u", "user": {"token": "t"}}],
                }
            )
        )
        self._ca = Authority(folder, "member").pem
        self.world = World(
            kube or open_kubeconfig(path=str(path)),
            ControllerSettings(**settings),
            CollectorRegistry(),
            lambda: True,
        )

    @cached_property
    def shelf(self) -> RouteShelf:
        """Its Routes."""
        return RouteShelf(self.world)

    def namespace(
        self, name: str, tenant: str = "", uid: str = "", *, deleting: bool = False, **labels: str
    ) -> None:
        """Labelled for injection, if nothing else is said."""
        metadata: RawDocument = {
            "name": name,
            "labels": {f"mca.io/{key}": text for key, text in labels.items()}
            or {"mca.io/injection": "enabled"},
        }
        if tenant:
            metadata["labels"]["mca.io/tenant"] = tenant
        if uid:
            metadata["annotations"] = {"mca.io/tenant-uid": uid}
        if deleting:
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.world.namespaces.put(name, keep_namespace({"metadata": metadata}))

    def tenant(self, name: str, *namespaces: str, version: int = 1, **spec: Any) -> None:
        """With the uid `uid-<name>`."""
        document = {
            "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)},
            "spec": {"namespaces": {"names": list(namespaces)}, **spec},
        }
        self.world.tenants.put(name, Kept(document, parse_tenant(document)))

    def cluster(self, name: str, *, version: int = 1, accepted: bool = True) -> None:
        document = {
            "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)},
            "spec": {
                "server": f"https://{name}.example",
                "caBundle": base64.b64encode(self._ca.encode()).decode(),
                "credentials": {"audience": {}},
            },
            "status": {"conditions": [{"type": "Accepted", "status": str(accepted)}]},
        }
        self.world.clusters.put(name, Kept(document, parse_cluster(document)))

    def route(
        self, namespace: str, name: str, cluster: str = "home", version: int = 1, **status: Any
    ) -> None:
        document = {
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": str(version)},
            "spec": {
                "match": [{"groups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
                "to": {"members": [{"cluster": cluster}]},
            },
            "status": status,
        }
        self.shelf.store.put(f"{namespace}/{name}", self.shelf.keep(document))
