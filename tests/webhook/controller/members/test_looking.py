"""The course of looks at one member, where neither it nor home answers."""

import time
from pathlib import Path

import pytest

from tests.webhook.controller.policies.lands import Land
from webhook.controller.members.acceptance import Neighbourhood
from webhook.controller.members.looking import Looking
from webhook.controller.members.part import open_access
from webhook.kube import KubeError
from webhook.resources.conditions import Condition, now_text, render_conditions


def test_who_begins_to_lead_counts_failures_anew(tmp_path: Path) -> None:
    """One lost answer makes no member unready; two do, if they are of one term."""
    land, now = Land(tmp_path), [0.0]
    land.cluster("eu")
    kept = land.world.clusters.get("eu")
    assert kept is not None
    kinds = ("Accepted", "Ready", "Enforced")
    said = [Condition(kind, True, "Before", "", 0) for kind in kinds]
    written = now_text(time.time())
    kept.document["status"] = {
        "conditions": render_conditions(said, {}, written),
        "audience": "mca.io/cluster/uid-eu",
        "observedGeneration": 0,
        "lastProbeTime": written,
    }
    looking = Looking(
        writer=land.world.writer,
        access=open_access(land.world),
        find=land.world.clusters.get,
        surround=lambda _: Neighbourhood(),
        probe_s=30.0,
        tell=lambda *_: None,
        clock=lambda: now[0],
    )
    land.cluster("gone")
    with pytest.raises(KubeError):
        looking.reconcile("gone")
    land.world.clusters.put("gone", None)
    for _ in range(3):
        looking.begin_term()
        assert looking.reconcile("eu") is not None  # nothing is to be written
        now[0] += 60
    assert list(looking._standings) == ["eu"]
    with pytest.raises(KubeError):  # that it is not ready: home does not take it, here
        looking.reconcile("eu")
