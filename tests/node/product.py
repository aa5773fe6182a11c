"""The images that the product ships, the sidecar's and the control plane's, from this tree.

Owns building them without Docker, by what the Dockerfiles say: a Debian root takes the place of
their base image. Must not start containers.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.node.dockerfile import Recipe, read_dockerfile
from tests.node.images import (
    PATH,
    ROOT,
    SITE,
    WHEELS,
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
    key = hash_texts(lock.read_text(), *recipe.removed, *WHEELS)
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
    layers = [find_base(), build_dependencies(product), build_own(recipe)]
    return write_archive(f"{product.name}:1", layers, config, target)


def list_sizes(product: Product) -> Iterator[tuple[str, int]]:
    """Of each of its layers, by what is in it: the bytes, not compressed."""
    yield "Debian and Python", find_base().path.stat().st_size
    yield "dependencies", build_dependencies(product).path.stat().st_size
    yield "our own", build_own(product.recipe).path.stat().st_size


def build_own(recipe: Recipe) -> Layer:
    """The layer of this tree: the same for both, and until the tree changes."""
    sources = [
        path
        for package in recipe.packages
        for path in sorted((ROOT / package).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    target = find_cache() / f"own-{_hash_files(sources)}.tar"
    if target.exists():
        return measure_layer(target)

    def fill(root: Path) -> None:
        for path in sources:
            copied = root / SITE / path.relative_to(ROOT)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copied)
        command = root / "usr/local/bin/mca"
        command.parent.mkdir(parents=True)
        command.write_text(LAUNCHER)
        command.chmod(0o755)
        compile_site(root)

    for stale in find_cache().glob("own-*.tar"):
        stale.unlink()
    return make_layer(target, fill)


def _hash_files(paths: Sequence[Path]) -> str:
    named = (part for path in paths for part in (str(path.relative_to(ROOT)), path.read_text()))
    return hash_texts(LAUNCHER, *named)
