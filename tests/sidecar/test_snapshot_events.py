import json
from typing import Any

import pytest

from sidecar.snapshot_events import KEY, Broken, Empty, Event, Found, Gone, read_event

METADATA = {"namespace": "team-a", "name": "mca-policy", "resourceVersion": "7"}


def line(kind: object, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": METADATA} | fields}).encode()


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        (line("ADDED", data={KEY: "{}", "other": "x"}), Found(b"{}")),
        (line("MODIFIED", data={KEY: "ü"}), Found("ü".encode())),
        (line("MODIFIED", data={KEY: "\ud800"}), Found(b"?")),
        (line("ADDED", data={"snapshot.v2.json": "{}"}), Empty(
            "it holds no snapshot.v1.json, which is what this sidecar reads")),
        (line("ADDED", data=None), Empty(
            "it holds no snapshot.v1.json, which is what this sidecar reads")),
        (line("ADDED", data={KEY: 7}), Empty(
            "it holds no snapshot.v1.json, which is what this sidecar reads")),
        (line("DELETED", data={KEY: "{}"}), Gone()),
        (line("BOOKMARK"), None),
        (line("ERROR", message="too old"), Broken("the API server ended it: too old")),
        (line("ERROR"), Broken("the API server ended it: None")),
        (line("ADDED", metadata=METADATA | {"name": "other"}, data={KEY: "{}"}),
         Broken("an event is of another object than was asked for")),
        (line("ADDED", metadata=METADATA | {"namespace": "b"}, data={KEY: "{}"}),
         Broken("an event is of another object than was asked for")),
        (line("DELETED", metadata=None), Broken(
            "an event is of another object than was asked for")),
        (line("REPLACED", data={KEY: "{}"}), Broken("an event is of no known type")),
        (b'{"type":"ADDED"}', Broken("an event is of another object than was asked for")),
        (b"[]", Broken("an event is of another object than was asked for")),
        (b"", Broken("an event is not JSON")),
        (b"\xff", Broken("an event is not JSON")),
        (b"[" * 100_000, Broken("an event is not JSON")),
    ],
)  # fmt: skip
def test_events(raw: bytes, event: Event) -> None:
    found = read_event(raw, "team-a", "mca-policy")
    assert found == event
    assert type(found) is type(event)
