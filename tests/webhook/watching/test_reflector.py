"""A store that follows a real API server: through pages, changes, refusals, breaks and expiry."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.scripted_server import Connection, ScriptedServer
from webhook.kube import Kube, RawDocument, open_kubeconfig, open_server
from webhook.watching.collection import Collection
from webhook.watching.reflector import Reflector
from webhook.watching.store import Store

Open = Callable[..., "Following"]


class Tally:
    """What a reflector counts."""

    def __init__(self) -> None:
        self.lists: list[int] = []
        self.events = 0
        self.failures = 0

    def count_list(self, _: str, objects: int) -> None:
        self.lists.append(objects)

    def count_events(self, _: str, _objects: int) -> None:
        self.events += 1

    def count_failure(self, _: str) -> None:
        self.failures += 1


class Stale(Reflector[Any]):
    """Begins to watch from a version that nobody knows any more."""

    stale = True

    def _list(self) -> str:
        version = super()._list()
        was_stale, self.stale = self.stale, False
        return "1" if was_stale else version


class Following:
    """A reflector at work, with what came of it."""

    def __init__(self, kube: Kube, collection: Collection[Any], page: int = 500) -> None:
        self.store: Store[Any] = Store()
        self.tally = Tally()
        self.reflector = Reflector(kube, collection, self.store, self.tally, page)
        self.reflector.start()


def wait_for(met: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not met():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@pytest.fixture
def follow() -> Iterator[Open]:
    started: list[Following] = []

    def open_one(*arguments: Any, **options: Any) -> Following:
        started.append(Following(*arguments, **options))
        return started[-1]

    yield open_one
    for following in started:
        following.reflector.stop()


@pytest.fixture
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    opened = open_kubeconfig(path=str(control_plane.admin_kubeconfig()))
    yield opened
    opened.close()


def path_of(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def put(plane: ControlPlane, namespace: str, name: str, text: str) -> None:
    plane.create(path_of(namespace), {"metadata": {"name": name}, "data": {"text": text}})


def open_as(plane: ControlPlane, namespace: str, account: str) -> Kube:
    """With the rights of a service account."""
    kubeconfig = json.loads(plane.admin_kubeconfig().read_text())
    kubeconfig["users"][0]["user"] = {"token": plane.token(namespace, account)}
    path = plane.folder / f"{namespace}.kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    return open_kubeconfig(path=str(path))


def read_text(raw: RawDocument) -> str | None:
    return (raw.get("data") or {}).get("text")


def test_pages_and_changes(control_plane: ControlPlane, kube: Kube, follow: Open) -> None:
    control_plane.create_namespace("watch-pages")
    for number in range(5):
        put(control_plane, "watch-pages", f"m{number}", "old")
    control_plane.create(path_of("watch-pages"), {"metadata": {"name": "not-kept"}})
    found = follow(kube, Collection(path_of("watch-pages"), read_text), page=2)
    assert found.store.wait(20)
    assert dict(found.store.items()) == {f"watch-pages/m{number}": "old" for number in range(5)}
    assert found.tally.lists == [5]
    put(control_plane, "watch-pages", "m5", "new")
    control_plane.request("DELETE", f"{path_of('watch-pages')}/m0")
    control_plane.request(
        "PUT",
        f"{path_of('watch-pages')}/m1",
        {"metadata": {"name": "m1"}, "data": {"text": "changed"}},
    )
    control_plane.request("PUT", f"{path_of('watch-pages')}/m2", {"metadata": {"name": "m2"}})
    wait_for(
        lambda: (
            dict(found.store.items())
            == {
                "watch-pages/m1": "changed",
                "watch-pages/m3": "old",
                "watch-pages/m4": "old",
                "watch-pages/m5": "new",
            }
        )
    )
    assert found.tally.lists == [5]  # all of that by one watch


def test_only_what_the_query_asks_for(
    control_plane: ControlPlane, kube: Kube, follow: Open
) -> None:
    control_plane.create_namespace("watch-one")
    put(control_plane, "watch-one", "other", "x")
    only = (("fieldSelector", "metadata.name=this"),)
    found = follow(kube, Collection("/api/v1/configmaps", read_text, only))
    assert found.store.wait(20)
    put(control_plane, "watch-one", "this", "y")
    put(control_plane, "watch-one", "another", "z")
    wait_for(lambda: found.store.items() == [("watch-one/this", "y")])


def test_an_object_that_cannot_be_read_hides_no_other(
    control_plane: ControlPlane, kube: Kube, follow: Open
) -> None:
    control_plane.create_namespace("watch-odd")
    put(control_plane, "watch-odd", "a", "1")
    put(control_plane, "watch-odd", "b", "odd")
    found = follow(kube, Collection(path_of("watch-odd"), lambda raw: int(str(read_text(raw)))))
    assert found.store.wait(20)
    put(control_plane, "watch-odd", "c", "odd")
    put(control_plane, "watch-odd", "d", "2")
    wait_for(lambda: found.store.items() == [("watch-odd/a", 1), ("watch-odd/d", 2)])


def put_odd(plane: ControlPlane, namespace: str, name: str, fields: bytes) -> None:
    """One with fields of a manager that the API server keeps as they are sent."""
    entry = {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    meta = {"name": name, "managedFields": [{**entry, "fieldsV1": "?"}]}
    body = json.dumps({"metadata": meta, "data": {"text": name}}).encode()
    answer = plane.request("POST", path_of(namespace), body.replace(b'"?"', fields))
    assert answer.status == 201, answer.body


def test_what_anybody_may_put_into_an_object_hides_nothing(
    control_plane: ControlPlane, kube: Kube, follow: Open
) -> None:
    """Not even the object itself: by lists and by watches."""
    nested = b'{"f:a":' * 1_500 + b"{}" + b"}" * 1_500
    very = b'{"f:a":' * 9_000 + b"{}" + b"}" * 9_000
    long = b'{"f:a":{"f:b":' + b"1" * 5_000 + b"}}"
    no_text = b'{"f:\xff":{}}'
    found = [nested, very, long, no_text]
    control_plane.create_namespace("watch-managed")
    for number, fields in enumerate(found):
        put_odd(control_plane, "watch-managed", f"a{number}", fields)
    put(control_plane, "watch-managed", "b", "b")
    following = follow(kube, Collection(path_of("watch-managed"), read_text))
    assert following.store.wait(20)
    expected = {f"a{number}" for number in range(len(found))} | {"b"}
    assert {text for _, text in following.store.items()} == expected
    for number, fields in enumerate(found):
        put_odd(control_plane, "watch-managed", f"c{number}", fields)
        expected |= {f"c{number}"}
    put(control_plane, "watch-managed", "d", "d")
    wait_for(lambda: {text for _, text in following.store.items()} == expected | {"d"})
    assert following.tally.failures == 0


def test_a_kind_that_is_not_there(kube: Kube, follow: Open) -> None:
    """Where it may be absent that is a list without objects, elsewhere none."""
    path = "/apis/absent.example/v1/things"
    optional = follow(kube, Collection(path, read_text, optional=True))
    needed = follow(kube, Collection(path, read_text))
    assert optional.store.wait(20)
    wait_for(lambda: needed.tally.failures >= 2)
    assert (optional.store.items(), needed.store.synced) == ([], False)


def test_a_right_that_comes_later(control_plane: ControlPlane, follow: Open) -> None:
    control_plane.create_service_account("watch-rights", "reader")
    kube = open_as(control_plane, "watch-rights", "reader")
    found = follow(kube, Collection(path_of("watch-rights"), read_text))
    wait_for(lambda: found.tally.failures)
    assert not found.store.synced
    control_plane.create_service_account(
        "watch-rights", "reader", cluster_role="system:aggregate-to-view"
    )
    assert found.store.wait(20)
    kube.close()


def test_lists_do_not_follow_each_other_where_the_watch_is_refused(
    control_plane: ControlPlane, follow: Open
) -> None:
    """A list of everything is the dearest call there is: pauses grow although it works."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    role = {"metadata": {"name": "watch-lists-only"}, "rules": rules}
    control_plane.create("/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
    control_plane.create_service_account("watch-lists", "reader", cluster_role="watch-lists-only")
    kube = open_as(control_plane, "watch-lists", "reader")
    found = follow(kube, Collection(path_of("watch-lists"), read_text))
    until = time.monotonic() + 3.0
    wait_for(lambda: len(found.tally.lists) > 2)
    wait_for(lambda: time.monotonic() > until)
    # 0.2 s, 0.4 s, 0.8 s, 1.6 s, or a half of each
    assert 3 <= len(found.tally.lists) <= 6, found.tally.lists
    kube.close()


@contextlib.contextmanager
def answering(answer: Callable[[bytes], tuple[int, Any]]) -> Iterator[Kube]:
    """An API server that a script stands for: by the target of a call, status and answer."""

    def converse(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            connection.answer(*answer(request.target))

    with ScriptedServer(converse) as server:
        kube = open_server(server.url, server.authority.pem, token="t")
        yield kube
        kube.close()


def test_lists_that_expire_before_their_end_do_not_follow_each_other(follow: Open) -> None:
    """An API server whose history is shorter than the list takes."""
    begun: list[float] = []

    def forget_history(target: bytes) -> tuple[int, Any]:
        if b"continue=" in target:
            return 410, {"kind": "Status", "code": 410, "reason": "Expired"}
        begun.append(time.monotonic())
        return 200, {"items": [], "metadata": {"resourceVersion": "1", "continue": "x"}}

    with answering(forget_history) as kube:
        found = follow(kube, Collection(path_of("w"), read_text))
        wait_for(lambda: len(begun) == 5)
        # 0.2 s, 0.4 s, 0.8 s and 1.6 s, or a half of each
        assert begun[-1] - begun[0] > 1.4
        assert found.tally.failures >= 4
        found.reflector.stop()


def test_a_watch_that_cannot_be_read_is_not_begun_from_there_again(follow: Open) -> None:
    """It would be told the same for ever; the list says what there is now."""

    def garble(target: bytes) -> tuple[int, Any]:
        if b"watch=" in target:
            return 200, ["no event"]
        return 200, {"items": [], "metadata": {"resourceVersion": "1"}}

    with answering(garble) as kube:
        found = follow(kube, Collection(path_of("w"), read_text))
        wait_for(lambda: len(found.tally.lists) == 3)
        assert found.tally.failures >= 2
        found.reflector.stop()


def test_a_server_that_was_away_is_caught_up_with(
    make_control_plane: Callable[..., ControlPlane], follow: Open
) -> None:
    """Nothing is forgotten meanwhile; what it no more knows the history of is listed again."""
    plane = make_control_plane()
    plane.create_namespace("w")
    for name in ("stays", "goes"):
        put(plane, "w", name, "old")
    kube = open_kubeconfig(path=str(plane.admin_kubeconfig()))
    found = follow(kube, Collection(path_of("w"), read_text))
    heard: list[tuple[str, str | None]] = []
    found.store.listen(lambda change: heard.append((change.key, change.new)))
    assert found.store.wait(20)
    heard.clear()
    plane.kill_api_server()
    wait_for(lambda: found.tally.failures)
    assert len(found.store) == 2
    plane.start_api_server()
    plane.request("DELETE", f"{path_of('w')}/goes")
    put(plane, "w", "new", "1")
    plane.compact_etcd()
    wait_for(lambda: dict(found.store.items()) == {"w/stays": "old", "w/new": "1"})
    assert sorted(heard, key=str) == [("w/goes", None), ("w/new", "1")]
    # The server that was started anew knows no version of before: it answers with 410.
    store: Store[Any] = Store()
    tally = Tally()
    stale = Stale(kube, Collection(path_of("w"), read_text), store, tally)
    stale.start()
    wait_for(lambda: len(tally.lists) == 2)
    put(plane, "w", "newer", "2")
    wait_for(lambda: len(store) == 3)
    assert (tally.lists, tally.failures) == ([2, 2], 0)
    stale.stop()
    kube.close()
