"""Replicas and their Lease: death, an end in good order, an API server that goes away."""

import http.client
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controller.scene import LEASE, Home, namespace_of, poll
from tests.controlplane import ControlPlane


@pytest.fixture
def own_home(make_control_plane: Callable[..., ControlPlane], tmp_path: Path) -> Home:
    return Home(make_control_plane(), tmp_path)


def holder(home: Home) -> str:
    answer = home.plane.request("GET", LEASE)
    if answer.status != http.client.OK:
        return ""
    return str(answer.json()["spec"].get("holderIdentity") or "")


def test_replicas_take_turns_and_lose_nothing(own_home: Home) -> None:
    home = own_home
    first = home.controller(MCA_CONTROLLER_IDENTITY="one").wait_leads()
    second = home.controller(MCA_CONTROLLER_IDENTITY="two").wait_ready()
    assert (holder(home), second.leads()) == ("one", False)
    home.apply(namespace_of("turn-1"))
    poll(lambda: home.policy("turn-1"))
    # Killed: what comes meanwhile is done by the other, when the Lease has run out.
    first.kill()
    home.apply(namespace_of("turn-2"))
    poll(lambda: home.policy("turn-2"), 30)
    assert holder(home) == "two"
    # Without an API server: nothing is lost, and nothing ends.
    home.plane.kill_api_server()
    poll(lambda: second.events("follows"), 30, "it went on to lead")
    home.plane.start_api_server()
    home.apply(namespace_of("turn-3"))
    poll(lambda: home.policy("turn-3"), 60)
    # Asked to end: the Lease is free at once, and the next one leads.
    third = home.controller(MCA_CONTROLLER_IDENTITY="three").wait_ready()
    began = time.monotonic()
    assert second.stop() == 0
    poll(lambda: holder(home) == "three", 30)
    assert time.monotonic() - began < 3
    home.apply(namespace_of("turn-4"))
    poll(lambda: home.policy("turn-4"))
    assert second.events("lease_released")
    assert third.stop() == 0
    assert holder(home) == ""
    for name in ("turn-1", "turn-2", "turn-3", "turn-4"):
        assert home.policy(name)
    home.end()


def test_settings_that_are_wrong_end_it_before_anything_is_asked(own_home: Home) -> None:
    process = own_home.controller(MCA_CONTROLLER_WORKERS="0", MCA_CONTROLLER_LISTEN="x")
    assert process.process.wait(20) == 64
    said = process.log()
    assert "MCA_CONTROLLER_WORKERS" in said
    assert "MCA_CONTROLLER_LISTEN" in said
