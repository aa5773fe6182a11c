"""The same story on a slice that has a stand-in, where every version is tagged on its way.

It must be the same to the client, but for what the design of such slices says.
"""

import re
import time
from typing import Any

import pytest

from tests.clients.canonical import Canon, assert_equal
from tests.clients.scene import ACCOUNT, Scene
from tests.clients.test_stories import CLIENTS, CODES, check_chapters, find_codes
from tests.sidecar_process import Cluster

pytestmark = pytest.mark.apiserver
ROUTE = {
    "name": "slice",
    "priority": 1,
    "match": [{"groups": ["", "apps", "batch"], "resources": ["*"]}],
    "to": {"members": [{"cluster": "west", "weight": 1}], "standIns": ["home"]},
}
# What is told in other words, or in another format: versions that no cluster gave out are refused
# here, formats that cannot be looked into too, and OpenAPI is that of two clusters.
OTHER_WORDS = frozenset(
    {
        "watch-expired", "patch-conflict", "not-acceptable", "yaml", "metadata-only", "protobuf",
        "raw-bad-media", "raw-bad-patch-media", "raw-bad-body", "openapi", "raw-/openapi/v3",
    }
)  # fmt: skip
_CONTINUE = re.compile(r"(<continue>)\.[\w-]+")


@pytest.mark.parametrize("client", ["go-typed", "python", "javascript-2"])
def test_story_is_the_same_on_a_tagged_slice(scene: Scene, client: str) -> None:
    name = f"tagged-{client}"
    command = CLIENTS[client]()
    with scene.pair(name) as pair:
        token = scene.plane.token(f"{name}-b", ACCOUNT)
        cluster = Cluster(scene.plane.url, scene.plane.ca_pem, token=token)
        pair.sidecar.point_to(cluster, cluster, routes=[ROUTE])
        deadline = time.monotonic() + 10
        while len(pair.sidecar.events("snapshot_loaded")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        told = scene.tell(pair, *command)
        calls = pair.sidecar.audit_lines()
    ports = (pair.direct.port, pair.meshed.port)
    direct, meshed = (
        Canon(namespace=f"{name}-{end}", ports=ports).steps(steps)
        for end, steps in zip("ab", told, strict=True)
    )
    check_chapters(direct, client)
    assert direct.keys() == meshed.keys()
    for step, code in CODES.items():
        said = meshed[step]
        gone = code == 410 and "Gone" in str(said)  # some clients tell no more
        assert gone or code in set(find_codes(said)), step
    same = direct.keys() - OTHER_WORDS
    assert_equal(*({step: outcome(made[step]) for step in same} for made in (direct, meshed)))
    served = {call.get("member") for call in calls if call.get("resource") == "configmaps"}
    assert served - {None} == {"west"}


def outcome(told: Any) -> Any:
    """What a client made of it: without header fields, formats and compression."""
    if isinstance(told, dict):
        return {
            key: outcome(value)
            for key, value in told.items()
            if key not in ("headers", "uncompressed", "encoding")
        }
    if isinstance(told, list):
        return [outcome(value) for value in told]
    return _CONTINUE.sub(r"\1", told) if isinstance(told, str) else told
