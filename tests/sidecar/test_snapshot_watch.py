"""A sidecar that follows its snapshot, before a scripted API server that says what it likes."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sidecar.member_scene import reply
from tests.sidecar.pinned_scene import (
    NAMESPACE,
    POLICY,
    WATCH_PATH,
    Home,
    chunk,
    event,
    pinned_env,
    revisions,
    snapshot,
    wait_for,
)
from tests.sidecar_process import SidecarProcess

Make = Callable[..., SidecarProcess]
FORBIDDEN = reply(b'{"kind": "Status", "message": "no RoleBinding"}', b"403 Forbidden")


@pytest.fixture
def home() -> Iterator[Home]:
    home = Home()
    with home.server:
        yield home


def start(make: Make, folder: Path, home: Home, *, spawn: bool = False, **options: Any) -> Any:
    env = pinned_env(folder, home.server.cluster("own-token"), MCA_SNAPSHOT_WATCH=POLICY)
    sidecar = make(env=env | {"MCA_SNAPSHOT": str(folder / "policy.json")}, spawn=True, **options)
    if not spawn:
        sidecar.wait_ready()
    return sidecar


def write(folder: Path, document: dict[str, Any]) -> None:
    draft = folder / "draft"
    draft.write_text(json.dumps(document))
    draft.rename(folder / "policy.json")


def test_the_watch_is_one_get_by_the_pods_own_token(
    make_sidecar: Make, tmp_path: Path, home: Home
) -> None:
    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    (request,) = home.asked()
    assert request.line.startswith(f"GET {WATCH_PATH}&fieldSelector=metadata.name%3D".encode())
    assert b"resourceVersion" not in request.target
    assert request.values(b"Authorization") == [b"Bearer own-token"]
    assert revisions(sidecar) == ["v1-a"]
    assert sidecar.request("GET", "/api/v1/namespaces/team-a/pods").status == 200
    home.feed(event("MODIFIED", snapshot("v1-b")))
    wait_for(lambda: revisions(sidecar) == ["v1-a", "v1-b"])
    assert len(home.asked()) == 1


def test_an_edit_decides_the_next_call(make_sidecar: Make, tmp_path: Path, home: Home) -> None:
    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    tenant = {"name": "acme", "mode": "enforce", "namespaces": [], "permissions": []}
    taken = []
    for round_, want in enumerate((403, 200, 403, 200)):
        changes = {"tenant": tenant} if want == 403 else {}
        begun = time.monotonic()
        home.feed(event("MODIFIED", snapshot(f"v1-{round_}", **changes)))
        wait_for(lambda: sidecar.request("GET", "/api/v1/namespaces/team-a/pods").status == want)  # noqa: B023
        taken.append(time.monotonic() - begun)
    assert min(taken) < 1, taken


def test_of_many_edits_the_last_one_counts(make_sidecar: Make, tmp_path: Path, home: Home) -> None:
    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    home.feed(*(event("MODIFIED", snapshot(f"v1-{number}")) for number in range(60)))
    wait_for(lambda: revisions(sidecar)[-1] == "v1-59")
    assert len(revisions(sidecar)) < 60


def test_the_mounted_copy_starts_it_and_never_turns_time_back(
    make_sidecar: Make, tmp_path: Path, home: Home
) -> None:
    write(tmp_path, snapshot("v1-mounted"))
    sidecar = start(make_sidecar, tmp_path, home)
    assert revisions(sidecar) == ["v1-mounted"]
    home.feed(event("ADDED", snapshot("v1-new")))
    wait_for(lambda: revisions(sidecar)[-1] == "v1-new")
    write(tmp_path, snapshot("v1-lagging"))
    time.sleep(1.5)
    assert revisions(sidecar)[-1] == "v1-new"


def test_before_the_first_event_the_mount_is_followed(
    make_sidecar: Make, tmp_path: Path, home: Home
) -> None:
    home.refusal = FORBIDDEN
    sidecar = start(make_sidecar, tmp_path, home, spawn=True)
    sidecar.wait_ready(path="/livez")
    assert sidecar.ask_admin("/readyz").status == 503
    assert sidecar.request("GET", "/api/v1/pods").status == 403
    write(tmp_path, snapshot("v1-mounted"))
    sidecar.wait_ready()
    (told,) = sidecar.events("snapshot_watch_lost")
    assert told["reason"] == "it answers 403: no RoleBinding"
    home.refusal = b""
    home.first = [event("ADDED", snapshot("v1-new"))]
    wait_for(lambda: revisions(sidecar)[-1] == "v1-new")
    assert len(sidecar.events("snapshot_watch_back")) == 1


def test_what_is_no_good_never_replaces_what_is(
    make_sidecar: Make, tmp_path: Path, home: Home
) -> None:
    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    home.feed(
        event("MODIFIED", snapshot("v1-b", routes=7)),
        event("MODIFIED", snapshot("v1-c", namespace="other")),
        event("MODIFIED", None),
        event("DELETED", snapshot("v1-d")),
    )
    wait_for(lambda: sidecar.events("snapshot_deleted"))
    wait_for(lambda: len(sidecar.events("snapshot_refused")) >= 2)
    origin = f"ConfigMap {NAMESPACE}/{POLICY}: "
    for told in sidecar.events("snapshot_refused")[-2:]:
        assert told["kept"] == "v1-a"
        assert all(error.startswith(origin) for error in told["errors"])
    assert revisions(sidecar) == ["v1-a"]
    home.feed(event("ADDED", snapshot("v1-e")))
    wait_for(lambda: revisions(sidecar) == ["v1-a", "v1-e"])


@pytest.mark.parametrize(
    "sent",
    [
        event("ERROR", None, message="too old resource version"),
        event("ADDED", snapshot("v1-x"), metadata={"namespace": "team-a", "name": "other"}),
        b"{\n",
    ],
)
def test_a_watch_that_went_wrong_is_begun_again(
    make_sidecar: Make, tmp_path: Path, home: Home, sent: bytes
) -> None:
    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    home.first = [event("ADDED", snapshot("v1-b"))]
    home.feed(sent)
    wait_for(lambda: revisions(sidecar) == ["v1-a", "v1-b"], 3)
    assert len(home.asked()) == 2
    assert len(sidecar.events("snapshot_watch_lost")) == 1


def test_a_broken_connection_is_no_end(make_sidecar: Make, tmp_path: Path, home: Home) -> None:
    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    home.server.break_connections()
    home.first = [event("ADDED", snapshot("v1-b"))]
    wait_for(lambda: revisions(sidecar) == ["v1-a", "v1-b"], 3)


@pytest.mark.parametrize("refusal", [
    reply(b"{}"), reply(b"", b"410 Gone"), reply(b"n" * 70_000, b"500 No"),
])  # fmt: skip
def test_what_is_refused_is_asked_for_less_and_less(
    make_sidecar: Make, tmp_path: Path, home: Home, refusal: bytes
) -> None:
    write(tmp_path, snapshot("v1-mounted"))
    home.refusal = refusal
    sidecar = start(make_sidecar, tmp_path, home)
    time.sleep(1.5)
    assert 1 <= len(home.asked()) <= 5
    assert len(sidecar.events("snapshot_watch_lost")) == 1


def test_a_watch_that_ends_at_once_is_no_loop(
    make_sidecar: Make, tmp_path: Path, home: Home
) -> None:
    write(tmp_path, snapshot("v1-mounted"))
    home.refusal = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    start(make_sidecar, tmp_path, home)
    time.sleep(1.5)
    assert 1 <= len(home.asked()) <= 5


def test_an_event_that_is_too_large_is_refused_in_bounded_memory(
    make_sidecar: Make, tmp_path: Path, home: Home
) -> None:
    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    before = sidecar.rss_bytes()
    home.first = []
    payload = chunk(b" " * 65536)
    for _ in range(160):
        try:
            home.watches[0].send(payload)
        except OSError:
            break
    else:
        pytest.fail("10 MiB of one event were read")
    wait_for(lambda: sidecar.events("snapshot_watch_lost"))
    (told,) = sidecar.events("snapshot_watch_lost")
    assert "larger than 2097152 bytes" in told["reason"]
    assert sidecar.rss_bytes() - before < 8 << 20
    wait_for(lambda: len(home.watches) == 2)
    assert not sidecar.events("snapshot_watch_back"), "an answer is no event"
    home.feed(event("ADDED", snapshot("v1-b")))
    wait_for(lambda: revisions(sidecar)[-1] == "v1-b")


def test_what_is_longer_on_its_way_is_read_up_to_what_a_policy_may_be(
    make_sidecar: Make, tmp_path: Path, home: Home
) -> None:
    """The API server writes < as six bytes."""

    def route_of(count: int) -> dict[str, Any]:
        names = ["<" * 250] * 50
        match = [{"groups": [""], "resources": ["pods"], "names": names}] * (count // 12_500)
        return {"name": "wide", "priority": 1, "match": match,
                "to": {"members": [{"cluster": "home"}]}}  # fmt: skip

    def sent(revision: str, count: int) -> bytes:
        told = event("MODIFIED", snapshot(revision, routes=[route_of(count)]))
        return told.replace(b"<", rb"\u003c")

    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    home.feed(sent("v1-fits", 325_000))
    wait_for(lambda: revisions(sidecar) == ["v1-a", "v1-fits"])
    home.first = []
    home.feed(sent("v1-does-not", 350_000))
    wait_for(lambda: sidecar.events("snapshot_watch_lost"))
    assert revisions(sidecar)[-1] == "v1-fits"


def test_the_most_words_of_routes_leave_room_under_the_limit(
    make_sidecar: Make, tmp_path: Path, home: Home
) -> None:
    """It is 64 MiB, of which 26 are used without. Two snapshots are there at once."""

    def sent(revision: str) -> bytes:
        routes = [
            {"name": f"r{number}", "priority": 1, "to": {"members": [{"cluster": "home"}]},
             "match": [{"groups": ["g"], "resources": ["r"], "names": [
                 f"{('*' + 'x' * 27) * 4}{number}-{match}-{place}" for place in range(60)]}
                 for match in range(32)]}
            for number in range(4)
        ]  # fmt: skip
        return event("MODIFIED", snapshot(revision, routes=routes))

    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    before = sidecar.rss_bytes()
    for number in range(4):
        home.feed(sent(f"v1-{number}"))
        wait_for(lambda: revisions(sidecar)[-1] == f"v1-{number}")  # noqa: B023
    status = Path(f"/proc/{sidecar.pid}/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) << 10
    assert peak - before < 26 << 20


def test_a_watch_does_not_hold_up_the_end(make_sidecar: Make, tmp_path: Path, home: Home) -> None:
    home.first = [event("ADDED", snapshot("v1-a"))]
    sidecar = start(make_sidecar, tmp_path, home)
    begun = time.monotonic()
    assert sidecar.stop() == 0
    assert time.monotonic() - begun < 5


def test_without_its_own_account_a_pinned_pod_does_not_start(
    make_sidecar: Make, tmp_path: Path
) -> None:
    env = {"MCA_MEMBERS": "[]", "MCA_SNAPSHOT": "/none", "MCA_SERVICE_ACCOUNT_DIR": str(tmp_path)}
    sidecar = make_sidecar(env=env, spawn=True)
    assert sidecar.wait(10) == 64
    assert "KUBERNETES_SERVICE_HOST: is not set" in sidecar.stderr()
