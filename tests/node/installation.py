"""MCA in the node's cluster: its images, and its objects as an installation makes them.

Owns how they get there, and when pods would be injected. Must not know what a test asks of them.
"""

import http.client
import json
import time
from typing import NamedTuple

from tests.node.node import Node
from tests.node.product import CONTROL, SIDECAR, Product, build_product
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings

NAMESPACE = "mca-system"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/mca-webhook"
REGISTRATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/mca"
TIMEOUT_S = 90.0


class Images(NamedTuple):
    """What runs, by digest."""

    sidecar: str
    control: str


def load_images(node: Node) -> Images:
    """Build both from this tree and import them."""
    return Images(*(_load(node, product) for product in (SIDECAR, CONTROL)))


def _load(node: Node, product: Product) -> str:
    archive = node.folder / "image.tar"
    digest = build_product(product, archive)
    node.import_image(archive)
    image = f"{product.name}@{digest}"
    node.ctr("images", "tag", "--force", f"{product.name}:1", image)
    archive.unlink()
    return image


def install(node: Node, images: Images) -> None:
    """Apply everything; returns when every replica serves and the API server can call them."""
    settings = InstallSettings(sidecar_image=images.sidecar, control_image=images.control)
    objects = {"apiVersion": "v1", "kind": "List", "items": build_objects(settings)}
    node.plane.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(objects))
    deadline = time.monotonic() + TIMEOUT_S
    while not (is_available(node) and is_registered(node)):
        node.check_servers()
        if time.monotonic() > deadline:
            raise TimeoutError(f"the webhook is not there after {TIMEOUT_S:.0f} s: {explain(node)}")
        time.sleep(0.2)


def is_available(node: Node) -> bool:
    """Whether every replica is there, of the newest template, and no other."""
    answer = node.plane.request("GET", DEPLOYMENT)
    if answer.status != http.client.OK:
        return False
    deployment = answer.json()
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    counts = (status.get(f"{kind}eplicas", 0) for kind in ("r", "updatedR", "availableR"))
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return seen and all(count == wanted for count in counts)


def is_registered(node: Node) -> bool:
    """Whether the API server knows whom to trust."""
    registration = node.plane.request("GET", REGISTRATION).json()
    return all(each["clientConfig"].get("caBundle") for each in registration["webhooks"])


def explain(node: Node) -> str:
    """Each of MCA's own pods."""
    pods = node.plane.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods").json()["items"]
    return "\n".join(node.explain(pod) for pod in pods)
