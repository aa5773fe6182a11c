"""The images that the product ships, the sidecar's and the control plane's, from this tree.

Owns building them without Docker, by what the Dockerfiles say: a Debian root takes the place of
their base image. Must not start containers.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.node.dockerfile import Recipe, read_dockerfile
from tests.node.images import (
    PATH,
    ROOT,
    SITE,
    compile_site,
    find_base,
    find_cache,
    hash_texts,
    install_wheels,
    make_layer,
    measure_layer,
    say,
    write_archive,
)
from tests.node.oci import Layer

LAUNCHER = """\
#!/usr/bin/env python3
from webhook.cli import main

raise SystemExit(main())
"""


class Product(NamedTuple):
    """One image: its name, and the file that says what is in it."""

    name: str
    dockerfile: Path

    @property
    def recipe(self) -> Recipe:
        """What the file says."""
        return read_dockerfile(self.dockerfile)


SIDECAR = Product("mca.test/sidecar", ROOT / "Dockerfile")
CONTROL = Product("mca.test/control", ROOT / "Dockerfile.control")
PRODUCTS = (SIDECAR, CONTROL)


def build_dependencies(product: Product) -> Layer:
    """The layer of what it needs. Downloads once, so it is made outside of the node."""
    recipe = product.recipe
    lock = ROOT / "requirements" / recipe.lock
    key = hash_texts(lock.read_text(), *recipe.removed)
    target = find_cache() / f"{lock.stem}-compiled-{key}.tar"
    if not target.exists():
        say(f"installing the dependencies of {product.name} (once)")

        def install(root: Path) -> None:
            site = root / SITE
            install_wheels(site, ["--require-hashes", "--no-deps", "--requirement", str(lock)])
            for name in recipe.removed:
                shutil.rmtree(site / name)
            compile_site(root)

        make_layer(target, install)
    return measure_layer(target)


def build_product(product: Product, target: Path) -> str:
    """Write the archive of the image as it is in this tree; its digest."""
    recipe = product.recipe
    config = {**recipe.config, "Env": [f"PATH={PATH}", *recipe.config["Env"]]}
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        own = _build_own(recipe, Path(work) / "layer.tar")
        layers = [find_base(), build_dependencies(product), own]
        return write_archive(f"{product.name}:1", layers, config, target)


def list_sizes(product: Product) -> Iterator[tuple[str, int]]:
    """Of each of its layers, by what is in it: the bytes, not compressed."""
    yield "Debian and Python", find_base().path.stat().st_size
    yield "dependencies", build_dependencies(product).path.stat().st_size
    with tempfile.TemporaryDirectory(dir=find_cache()) as work:
        own = _build_own(product.recipe, Path(work) / "layer.tar")
        yield "our own", own.path.stat().st_size


def _build_own(recipe: Recipe, target: Path) -> Layer:
    def fill(root: Path) -> None:
        for package in recipe.packages:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, root / SITE / package, ignore=ignored)
        command = root / "usr/local/bin/mca"
        command.parent.mkdir(parents=True)
        command.write_text(LAUNCHER)
        command.chmod(0o755)
        compile_site(root)

    return make_layer(target, fill)
