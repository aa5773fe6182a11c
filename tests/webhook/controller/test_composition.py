"""The controller's parts, and what is waited for before most of them begin."""

from pathlib import Path
from typing import Any

import pytest

from tests.webhook.controller.policies.lands import Land
from webhook.controller.composition import are_judged, build_parts
from webhook.controller.engine.world import Kept
from webhook.resources.clusters import parse_cluster


def test_all_parts(tmp_path: Path) -> None:
    parts = {part.name: part for part in build_parts(Land(tmp_path).world)}
    assert {"policies", "tenants", "members", "sidecars"} <= set(parts)
    assert [name for name, part in parts.items() if part.found] == ["members"]


@pytest.mark.parametrize(
    ("condition", "judged"),
    [
        ({"status": "True", "observedGeneration": 3}, True),
        ({"status": "False", "observedGeneration": 3}, True),
        ({"status": "Unknown", "observedGeneration": 3}, False),
        ({"status": "True", "observedGeneration": 2}, False),
        (None, False),
    ],
)
def test_clusters_are_waited_for_until_they_are_judged(
    tmp_path: Path, condition: dict[str, Any] | None, judged: bool
) -> None:
    world = Land(tmp_path).world
    assert are_judged(world)
    conditions = [] if condition is None else [{"type": "Accepted", "reason": "x", **condition}]
    document = {
        "metadata": {"name": "eu", "generation": 3},
        "status": {"conditions": conditions},
    }
    world.clusters.put("eu", Kept(document, parse_cluster(document)))
    assert are_judged(world) is judged
