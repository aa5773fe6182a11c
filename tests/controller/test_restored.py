"""Whoever writes mca-policy where no guard holds is overwritten each time; the log says it once."""

import http.client

from tests.controller.scene import ControllerProcess, Home, poll
from webhook.resources.names import OUR_LABELS


def test_one_that_was_forged_is_told_of_once(home: Home, controller: ControllerProcess) -> None:
    """In a namespace without a label nobody needs it; it is kept true all the same."""
    home.plane.create_namespace("restored")
    path = "/api/v1/namespaces/restored/configmaps"
    forged = {
        "metadata": {"name": "mca-policy", "labels": OUR_LABELS},
        "data": {"snapshot.v1.json": "{}"},
    }
    assert home.plane.request("POST", path, forged).status == http.client.CREATED
    for _ in range(3):
        poll(lambda: (home.policy("restored") or {}).get("namespace") == "restored")
        written = home.plane.request("PUT", f"{path}/mca-policy", forged)
        assert written.status == http.client.OK
    poll(lambda: (home.policy("restored") or {}).get("namespace") == "restored")
    lines = [
        line for line in controller.events("policy_restored") if line["namespace"] == "restored"
    ]
    assert [line["times"] for line in lines] == [1]
    assert "was written by somebody else" in lines[0]["problem"]
