"""The ERROR events that the sidecar ends a watch with, as client-go reads them.

And the API server's own, beside them: ours must have its structure.
"""

import base64
import json
import subprocess
from typing import Any

import pytest

from sidecar.policy.verdict import Denial, Reason
from sidecar.status import error_event_json, error_event_protobuf
from tests.clients.builds import build_go
from tests.clients.scene import Scene

JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
EXPIRED = Denial(Reason.EXPIRED, "snapshot/cluster", "the cluster behind this watch was replaced")


def decode(*bodies: tuple[str, bytes]) -> list[Any]:
    """What client-go makes of the bodies of watches."""
    lines = [f"{kind} {base64.b64encode(body).decode()}" for kind, body in bodies]
    done = subprocess.run(
        [str(build_go("go")), "decode"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return [json.loads(line)["result"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("reason", [Reason.EXPIRED, Reason.FORBIDDEN, Reason.SERVICE_UNAVAILABLE])
def test_client_go_reads_both_kinds_as_a_status(reason: Reason) -> None:
    refusal = Denial(reason, "a/rule", 'the "cluster" was replaced: ä \N{SNOWMAN}')
    in_json, in_protobuf = decode(
        (JSON, error_event_json(refusal)),
        (f"{PROTOBUF};stream=watch", error_event_protobuf(refusal)),
    )
    (event,) = in_json
    assert in_protobuf == in_json
    assert event["type"] == "ERROR"
    assert event["object"] == "*v1.Status"
    assert event["error"]["status"]["reason"] == reason.value
    assert refusal.message in event["error"]["status"]["message"]
    assert event["expired"] == (reason is Reason.EXPIRED)


@pytest.mark.apiserver
def test_ours_are_built_as_the_api_servers(scene: Scene) -> None:
    path = "/api/v1/configmaps?watch=1&resourceVersion=1"
    for kind, build in ((JSON, error_event_json), (PROTOBUF, error_event_protobuf)):
        answer = scene.plane.request("GET", path, headers={"Accept": kind})
        ((event,),) = decode((kind, answer.body))
        status = event["error"]["status"]
        assert (status["code"], status["reason"]) == (410, "Expired")
        assert build(Denial(Reason.EXPIRED, "", status["message"])) == answer.body
