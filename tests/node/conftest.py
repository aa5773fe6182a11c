"""The fixtures `node` and `installed`; outside of a node only what needs none is collected."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.node.images import build_application
from tests.node.node import Node
from tests.node.world import is_inside

if TYPE_CHECKING:
    from tests.node.installation import Images

# Not skipped, which would count as a failure: the others are another target's, `make e2e`.
EVERYWHERE = {"test_dockerfile.py", "test_host.py"}
HERE = Path(__file__).parent
collect_ignore = (
    []
    if is_inside()
    else [path.name for path in HERE.glob("test_*.py") if path.name not in EVERYWHERE]
)


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """One for the whole run, with the application's image. Take a namespace of your own."""
    with Node() as node:
        node.import_image(build_application())
        yield node


@pytest.fixture(scope="session")
def images(node: Node) -> "Images":
    """Those of this tree, by their digests."""
    from tests.node.installation import load_images

    return load_images(node)


@pytest.fixture(scope="session")
def installed(node: Node, images: "Images") -> "Images":
    """MCA, as an installation leaves it."""
    from tests.node.installation import install

    install(node, images)
    return images


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a node."""
    for item in items:
        if "node" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)
