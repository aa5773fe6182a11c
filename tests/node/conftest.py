"""The fixture `node`. Outside of a node's namespaces nothing here is collected: `make e2e`."""

from collections.abc import Iterator

import pytest

from tests.node.images import build_application
from tests.node.node import Node
from tests.node.sidecars import load_sidecar, start_webhook
from tests.node.world import is_inside

# Not skipped, which would count as a failure: these are another target's, as `make help` says.
collect_ignore_glob = [] if is_inside() else ["test_*.py"]


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """One for the whole run, with the application's image. Take a namespace of your own."""
    with Node() as node:
        node.import_image(build_application())
        yield node


@pytest.fixture(scope="session")
def sidecar_image(node: Node) -> str:
    """The sidecar of this tree, by its digest."""
    return load_sidecar(node)


@pytest.fixture(scope="session")
def webhook(node: Node, sidecar_image: str) -> Iterator[None]:
    """`mca webhook`, registered with the API server."""
    process = start_webhook(node, sidecar_image)
    yield
    process.kill()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a node."""
    for item in items:
        if "node" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)
