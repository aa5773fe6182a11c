"""Proof, before anything is measured, that a wrong answer would be noticed.

A benchmark that cannot fail says nothing: these loads must each be refused.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.load import Load, Server, WrongAnswerError
from bench.scene import BULK_BYTES, BULK_CHUNKED, Scene


@dataclass(frozen=True, slots=True)
class Impostor:
    """A real server, asked with a token that it must refuse."""

    name: str
    address: str
    ca_file: Path
    token_file: Path


def prove_vigilance(scene: Scene, loadgen: Path, origin: Server) -> None:
    """Another body, a refused token, and a large body with one bit of its checksum changed."""
    other = scene.folder / "other-body.json"
    other.write_text(scene.body[:-2] + "X}")
    refused = Impostor("direct", origin.address, origin.ca_file, scene.client_token_file)
    short = {"connections": 1, "duration": "50ms"}
    bulk = {"target": BULK_CHUNKED, "bytes": BULK_BYTES, "crc": scene.bulk_crc ^ 1}
    expect_refusal(Load(loadgen, scene, origin, "throughput", **short, body=other))
    expect_refusal(Load(loadgen, scene, refused, "newconn", **short))
    expect_refusal(Load(loadgen, scene, refused, "watches", connections=1))
    expect_refusal(Load(loadgen, scene, origin, "bulk", **bulk))


def expect_refusal(load: Load) -> None:
    """Passing is the failure here."""
    try:
        with load as prepared:
            prepared.run()
    except WrongAnswerError:
        return
    raise AssertionError(f"a wrong answer went unnoticed: {load.command}")
