"""Creates that are paced around every idle timeout: none is lost, none is made twice."""

import pytest

from tests.clients.builds import build_go
from tests.clients.scene import Scene

pytestmark = pytest.mark.apiserver
WORKERS = 150
WAVES = 34
# All in the proportion of what is kept in a pod for 60, 90 and 310 s; the sidecar looks once a
# second at what has been idle for too long, so that it closes up to a second later.
SETTINGS = {"MCA_UPSTREAM_IDLE_TIMEOUT": "0.3", "MCA_IDLE_TIMEOUT": "0.6"}
CLIENT_IDLE = "700ms"
PAUSES = ("-least", "200ms", "-most", "1700ms")


def test_no_create_is_lost_around_the_idle_timeouts(scene: Scene) -> None:
    assert WORKERS * WAVES >= 5000
    with scene.pair("clients-paced", env=SETTINGS) as pair:
        load = ("-workers", str(WORKERS), "-waves", str(WAVES), "-idle", CLIENT_IDLE)
        (step,) = pair.meshed.tell([str(build_go("go")), "paced", *load, *PAUSES])
        assert step["result"]["outcomes"] == {"created": WORKERS * WAVES}
        answer = scene.plane.request("GET", "/api/v1/namespaces/clients-paced-b/configmaps")
        names = [item["metadata"]["name"] for item in answer.json()["items"]]
        assert len(names) == len(set(names)) == WORKERS * WAVES
        calls = [call for call in pair.sidecar.audit_lines() if call["verb"] == "create"]
        assert [call["code"] for call in calls] == [201] * (WORKERS * WAVES)
        # Connections did come and go on both sides.
        assert pair.sidecar.metric("mca_upstream_opened_total") > 50
