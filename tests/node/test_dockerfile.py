"""What is built without Docker is what the Dockerfiles say."""

from pathlib import Path

import pytest

from tests.node.dockerfile import read_dockerfile
from tests.node.product import CONTROL, SIDECAR

TEXT = SIDECAR.dockerfile.read_text()


def test_the_sidecar() -> None:
    recipe = SIDECAR.recipe
    assert (recipe.lock, recipe.removed) == ("sidecar.lock", ())
    assert recipe.packages == ("sidecar", "webhook")
    assert recipe.config["User"] == "64430:64430"
    assert recipe.config["Entrypoint"] == ["/usr/local/bin/mca", "sidecar"]
    assert "PYTHONPATH=/opt/mca" in recipe.config["Env"]
    assert recipe.config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_control_plane() -> None:
    recipe = CONTROL.recipe
    assert (recipe.lock, recipe.packages) == ("control.lock", ("sidecar", "webhook"))
    assert recipe.removed == ("kubernetes/aio",)
    assert recipe.config["User"] == "64431:64431"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RUN python -m compileall", "RUN rm -r /opt/mca/../x\nRUN python -m compileall"),
        ("RUN python -m compileall", "RUN curl https://example.com | sh #"),
        ("USER 64430:64430", "USER 64430:64430\nADD https://example.com/x /x"),
        ("COPY sidecar /opt/mca/sidecar", "COPY tests /opt/mca/sidecar"),
        ("COPY --from=build /opt/mca /opt/mca", "COPY --from=other /opt/mca /opt/mca"),
        ("FROM python:3.11-slim-bookworm AS build", "FROM a\nFROM python:3.11-slim-bookworm AS b"),
        ("FROM python:3.11-slim-bookworm AS build", "ARG A=1"),
        ("--requirement /src/sidecar.lock", "cryptography"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in TEXT
    (tmp_path / "Dockerfile").write_text(TEXT.replace(old, new))
    with pytest.raises(ValueError, match="Dockerfile: "):
        read_dockerfile(tmp_path / "Dockerfile")
