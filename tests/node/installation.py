"""MCA in the node's cluster: its images, and its objects as `mca install` makes them.

Owns how they get there, and when all replicas serve. Must not know what a test asks of them.
"""

import http.client
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.node.node import Node
from tests.node.product import CONTROL, SIDECAR, Product, build_product

NAMESPACE = "mca-system"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
DEPLOYMENT = f"{DEPLOYMENTS}/mca-webhook"
TIMEOUT_S = 120
# What a Cluster may name here, beside its own.
MEMBER_AUDIENCE = "https://members.example.com"


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
    """As an admin does it, from a terminal; returns when a dry run shows that pods get sidecars."""
    given = ("--sidecar-image", images.sidecar, "--control-image", images.control)
    more = ("--member-audience", MEMBER_AUDIENCE, "--wait", str(TIMEOUT_S))
    done = run_mca(node, "install", *given, *more)
    if done.returncode != 0:
        raise RuntimeError(f"mca install: {done.stdout}{done.stderr}{explain(node)}")


def run_mca(node: Node, command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`mca` as the cluster's admin."""
    mca = [sys.executable, str(Path(sys.executable).with_name("mca"))]
    at = f"--kubeconfig={node.plane.admin_kubeconfig()}"
    return subprocess.run(
        [*mca, command, at, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S + 60,
        env={"HOME": str(node.folder), "PATH": ""},
    )


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


def explain(node: Node) -> str:
    """Each of MCA's own pods."""
    pods = node.plane.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods").json()["items"]
    return "\n".join(node.explain(pod) for pod in pods)
