"""One story, told by each client library twice: to the API server, and through the sidecar.

The results must be equal, and so must the heads of the answers. That the story has the chapters
that it should have is checked too: equal silence would prove nothing.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.builds import build_go, install_npm, node
from tests.clients.canonical import Canon, assert_equal
from tests.clients.scene import Scene

pytestmark = pytest.mark.apiserver
HERE = Path(__file__).resolve().parent

CLIENTS: dict[str, Callable[[], list[str]]] = {
    "go-typed": lambda: [str(build_go("go")), "typed"],
    "go-dynamic": lambda: [str(build_go("go")), "dynamic"],
    "python": lambda: [sys.executable, str(HERE / "python_story.py")],
    "javascript-1": lambda: [*_javascript(), str(install_npm("1.x"))],
    "javascript-2": lambda: [*_javascript(), str(install_npm("2.x"))],
}
GO = ("go-typed", "go-dynamic")
# What each must have met, by the code that says so.
CODES = {
    "create": 201,
    "create-again": 409,
    "create-invalid": 422,
    "create-dry-run": 201,
    "get-missing": 404,
    "update-stale": 409,
    "list-chunks-2": 200,
    "list-expired": 410,
    "list-resumed-1": 200,
    "watch-expired": 410,
    "patch-json": 200,
    "patch-json-failing": 422,
    "patch-merge": 200,
    "patch-strategic": 200,
    "patch-apply": 200,
    "patch-conflict": 409,
    "apply-create": 201,
    "apply-conflict": 409,
    "apply-force": 200,
    "delete-precondition": 409,
    "delete": 200,
    "delete-again": 404,
    "delete-collection": 200,
    "raw-/readyz": 200,
    "raw-/nowhere": 403,
    "raw-head": 405,
    "raw-wrong-method": 405,
    "raw-bad-media": 415,
    "raw-escaped-name": 200,
    "not-acceptable": 406,
    "forbidden": 403,
    "who-am-i": 201,
}


def _javascript() -> tuple[str, str]:
    return str(node()), str(HERE / "javascript" / "story.mjs")


@pytest.mark.parametrize("client", CLIENTS)
def test_story_is_the_same_through_the_sidecar(scene: Scene, client: str) -> None:
    command = CLIENTS[client]()
    name = f"clients-{client}"
    with scene.pair(name) as pair:
        told = scene.tell(pair, *command)
        calls = pair.sidecar.audit_lines()
    ports = (pair.direct.port, pair.meshed.port)
    direct, meshed = (
        Canon(namespace=f"{name}-{end}", ports=ports).steps(steps)
        for end, steps in zip("ab", told, strict=True)
    )
    assert_equal(direct, meshed)
    check_chapters(direct, client)
    # It was the sidecar that served the second telling, and it took its caller for what it is.
    assert len(calls) >= len(meshed)
    assert {call["caller"] for call in calls} == {"app"}
    assert {call["decision"] for call in calls} == {"permit"}
    verbs = {call["verb"] for call in calls}
    assert verbs >= {
        *("create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"),
    }


def check_chapters(told: dict[str, Any], client: str) -> None:
    met = {step: set(find_codes(told[step])) for step in CODES if step in told}
    assert met.keys() == CODES.keys()
    assert not {step: found for step, found in met.items() if CODES[step] not in found}
    types = [event["type"] for event in told["watch"]["events"]]
    assert types == ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    *initial, last = told["watch-list"]["events"]
    assert [event["type"] for event in initial] == ["ADDED"] * 7
    assert last["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert told["table"]["outcome"]["kind"] == "Table"
    assert told["protobuf"]["outcome"].startswith(b"k8s\0".hex())
    assert "gzip" in find_encodings(told["gzip"])
    upgraded = [step for step in told if step.startswith(("exec", "attach", "port-forward"))]
    assert len(upgraded) >= (18 if client in GO else 5)


def find_codes(value: Any) -> Iterator[int]:
    """Every HTTP code that a step tells of, wherever it stands in it."""
    if isinstance(value, dict):
        code = value.get("code")
        if isinstance(code, int):
            yield code
        for inner in value.values():
            yield from find_codes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from find_codes(inner)


def find_encodings(told: dict[str, Any]) -> set[str]:
    """How the answer was compressed. Go's transport says so and takes the header off."""
    if any(call["uncompressed"] for call in told.get("calls", ())):
        return {"gzip"}
    return {text for name, text in told["headers"].items() if name.lower() == "content-encoding"}
