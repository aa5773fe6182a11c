"""Creates that are paced around the idle timeouts: none is lost, none is made twice."""

import pytest

from tests.clients.builds import build_go
from tests.clients.scene import Scene

pytestmark = pytest.mark.apiserver
WORKERS = 125
WAVES = 40
UPSTREAM_IDLE_S = 0.8


def test_no_create_is_lost_around_the_idle_timeouts(scene: Scene) -> None:
    settings = {"MCA_UPSTREAM_IDLE_TIMEOUT": str(UPSTREAM_IDLE_S)}
    with scene.pair("clients-paced", env=settings) as pair:
        command = [
            *(str(build_go("go")), "paced", "-workers", str(WORKERS), "-waves", str(WAVES)),
            *("-around", f"{UPSTREAM_IDLE_S}", "-spread", "0.4"),
        ]
        (step,) = pair.meshed.tell(command)
        assert step["result"]["outcomes"] == {"created": WORKERS * WAVES}
        answer = scene.plane.request("GET", "/api/v1/namespaces/clients-paced-b/configmaps")
        names = [item["metadata"]["name"] for item in answer.json()["items"]]
        assert len(names) == len(set(names)) == WORKERS * WAVES
        calls = [call for call in pair.sidecar.audit_lines() if call["verb"] == "create"]
        assert {call["code"] for call in calls} == {201}
        assert len(calls) == WORKERS * WAVES
        print(step["result"], {m: pair.sidecar.metric(m) for m in ("mca_upstream_connections_opened_total",)})
