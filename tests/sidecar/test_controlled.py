"""What a sidecar has of the controller is loaded where it is set, and nowhere else."""

import json
from pathlib import Path

from tests.sidecar.pinned_scene import POLICY, Desk, Home, event, pinned_env, snapshot
from tests.sidecar_process import SidecarProcess

TRACED = {"PYTHONPROFILEIMPORTTIME": "1"}
PINNED = {"controlled", "pinning"}
WATCHING = {"line_feed", "precedence", "snapshot_events", "snapshot_watch"}
BROKERED = {"broker_answers", "broker_credential", "brokerage", "reports"}
MINE = PINNED | WATCHING | BROKERED | {"pins", "policy.snapshot_broker"}


def loaded(sidecar: SidecarProcess) -> set[str]:
    """Those of the sidecar's modules that it has imported."""
    lines = (line.rpartition("|")[2].strip() for line in sidecar.stderr().splitlines())
    return {name.removeprefix("sidecar.") for name in lines if name.startswith("sidecar.")}


def test_nothing_is_loaded_where_nothing_is_set() -> None:
    home = Home()
    with home.server, SidecarProcess(home.server.cluster(), env=TRACED) as sidecar:
        assert sidecar.request("GET", "/api/v1/namespaces/team-a/pods").status == 200
        found = loaded(sidecar)
    assert "adoption" in found
    assert not found & MINE


def test_each_part_comes_with_its_setting(tmp_path: Path) -> None:
    home = Home()
    home.first = [event("ADDED", snapshot("v1-a"))]
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(snapshot("v1-a")))
    with home.server:
        env = pinned_env(tmp_path, home.server.cluster(), MCA_SNAPSHOT=str(path)) | TRACED
        with SidecarProcess(env=env) as sidecar:
            assert loaded(sidecar) & MINE == PINNED
        with SidecarProcess(env=env | {"MCA_SNAPSHOT_WATCH": POLICY}) as sidecar:
            assert loaded(sidecar) & MINE == PINNED | WATCHING


def test_the_broker_comes_with_a_snapshot_that_names_it(tmp_path: Path) -> None:
    home, desk = Home(), Desk(lambda number: b"")
    with home.server, desk.server:
        env = pinned_env(tmp_path, home.server.cluster(), MCA_BROKER=desk.server.url) | TRACED
        document = snapshot("v1-a", broker=desk.section)
        with SidecarProcess(snapshot=document, env=env) as sidecar:
            found = loaded(sidecar)
    assert {"brokerage", "reports", "policy.snapshot_broker"} <= found
    assert "broker_credential" not in found, "no cluster needs it"
