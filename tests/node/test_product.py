"""Our images as they are built without Docker: nothing in them is compiled at a start."""

import tarfile
from pathlib import PurePosixPath

import pytest

from tests.node.images import PYTHON_VERSION, SITE, find_base
from tests.node.product import PRODUCTS, Product, build_dependencies, build_own

LIBRARY = f"usr/lib/python{PYTHON_VERSION}"
TAG = f"cpython-{PYTHON_VERSION.replace('.', '')}"
# Of a .pyc: bytes 4 to 8 say how it is held against its source; this is "by nothing".
UNCHECKED = b"\x01\x00\x00\x00"


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_every_module_is_compiled(product: Product) -> None:
    """The root of a sidecar is read-only: what lacks its .pyc is compiled at each start.

    Those of the library carry the time of their source, as Debian's packages make them.
    """
    sources: dict[str, int] = {}
    compiled: dict[str, bytes] = {}
    for layer in (find_base(), build_dependencies(product), build_own(product.recipe)):
        with tarfile.open(layer.path) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if not name.startswith((f"{LIBRARY}/", f"{SITE}/")) or not member.isfile():
                    continue
                if name.endswith(".py"):
                    sources[name] = int(member.mtime)
                elif name.endswith(f".{TAG}.pyc") and (file := tar.extractfile(member)):
                    compiled[name] = file.read(12)
    assert {f"{LIBRARY}/asyncio/events.py", f"{SITE}/sidecar/__main__.py"} <= sources.keys()
    assert [name for name in sources if find_compiled(name) not in compiled] == []
    stale = [
        name
        for name, changed in sources.items()
        if not is_taken(name, changed, compiled[find_compiled(name)])
    ]
    assert stale == []


def is_taken(name: str, changed: int, head: bytes) -> bool:
    """Whether Python loads what is compiled, and not the source."""
    if name.startswith(LIBRARY):
        return head[4:] == bytes(4) + changed.to_bytes(4, "little")
    return head[4:8] == UNCHECKED


def find_compiled(source: str) -> str:
    """Where Python looks for it."""
    path = PurePosixPath(source)
    return str(path.parent / "__pycache__" / f"{path.stem}.{TAG}.pyc")
