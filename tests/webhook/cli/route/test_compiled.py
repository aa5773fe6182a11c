"""What a namespace's snapshot would be with the objects of files, and which files are refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.webhook.cli.stored_home import StoredHome
from webhook.cli.policy.snapshot_source import SourceError
from webhook.cli.route.compiled import compile_situation, list_refused, read_files
from webhook.cli.route.trial import main
from webhook.kube import Kube, open_kubeconfig
from webhook.resources.names import CLOSED

API = "mca.io/v1alpha1"
CA = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClFVSkQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="


def cluster(name: str, server: str = "https://eu-1.example.com", *, ok: bool = True) -> Any:
    accepted = {"type": "Accepted", "status": "True", "reason": "x", "observedGeneration": 1}
    return {
        "apiVersion": API, "kind": "Cluster",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1},
        "spec": {"server": server, "caBundle": CA, "credentials": {"audience": {}}},
        "status": {"conditions": [accepted] if ok else []},
    }  # fmt: skip


def tenant(*clusters: str) -> Any:
    everything = {"name": "all", "effect": "allow", "verbs": ["*"], "groups": ["*"],
                  "resources": ["*"]}  # fmt: skip
    spec = {"namespaces": {"names": ["team-a"]}, "boundary": "none", "clusters": list(clusters),
            "permissions": [everything]}  # fmt: skip
    metadata = {"name": "acme", "uid": "uid-acme", "generation": 1}
    return {"apiVersion": API, "kind": "Tenant", "metadata": metadata, "spec": spec}


def route(name: str, to: str, namespace: str = "team-a") -> Any:
    match = [{"groups": [""], "resources": ["configmaps"]}]
    spec = {"match": match, "to": {"members": [{"cluster": to}]}}
    metadata = {"name": name, "namespace": namespace, "generation": 1}
    return {"apiVersion": API, "kind": "Route", "metadata": metadata, "spec": spec}


def namespace(name: str) -> Any:
    labels = {"mca.io/injection": "enabled", "mca.io/tenant": "acme"}
    notes = {"mca.io/tenant-uid": "uid-acme"}
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels, "annotations": notes}}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StoredHome]:
    with StoredHome(tmp_path) as home:
        home.add(namespace("team-a"), tenant("eu-1"), cluster("eu-1"))
        yield home


@pytest.fixture
def kube(home: StoredHome) -> Iterator[Kube]:
    kube = open_kubeconfig(path=str(home.kubeconfig))
    yield kube
    kube.close()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def write(*documents: Any) -> str:
        path = tmp_path / "given.yaml"
        path.write_text("\n---\n".join(map(json.dumps, documents)))
        return str(path)

    return write


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not YAML"),
        ("kind: Pod", "holds something else than Cluster, Tenant, Route"),
        ("- a", "holds something else"),
        ("apiVersion: mca.io/v9\nkind: Route", "holds something else"),
        (f"apiVersion: {API}\nkind: Route", "a Route without metadata.name: name it"),
        (f"apiVersion: {API}\nkind: Tenant\nmetadata: x", "a Tenant without metadata.name"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(SourceError, match=told):
        read_files([str(path)], "team-a")


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_files([str(tmp_path / "none")], "team-a")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="is not YAML"):
        read_files([str(tmp_path / "bytes")], "team-a")


def test_routes_of_other_namespaces_do_not_count(write: Callable[..., str]) -> None:
    path = write(route("mine", "eu-1"), route("theirs", "eu-1", "team-b"), None)
    assert set(read_files([path], "team-a")["Route"]) == {"mine"}


def test_what_stands_at_home_is_compiled_as_it_is(home: StoredHome, kube: Kube) -> None:
    home.add(route("maps", "eu-1"), route("lost", "nowhere"), route("foreign", "eu-1", "team-b"))
    found = compile_situation(kube, "team-a", read_files([], "team-a"), "mca-system")
    assert [each.name for each in found.snapshot.clusters] == ["home", "eu-1", CLOSED]
    assert [reason for _, reason, _ in list_refused(found.compiled)] == ["ClusterNotAllowed"]
    assert set(found.compiled.routes) == {"maps", "lost"}
    assert found.remarks == ()


def test_a_file_stands_in_the_place_of_what_is_stored(
    kube: Kube, home: StoredHome, write: Callable[..., str]
) -> None:
    home.add(cluster("odd", ok=False))
    broken = cluster("broken")
    broken["spec"]["server"] = "http://plain"
    given = write(
        cluster("eu-1", "https://moved.example.com"), cluster("odd"), cluster("new"), broken,
        route("maps", "eu-1"),
    )  # fmt: skip
    found = compile_situation(kube, "team-a", read_files([given], "team-a"), "mca-system")
    moved = next(each for each in found.snapshot.clusters if each.name == "eu-1")
    assert moved.host == "moved.example.com"
    remarks = dict(each.removeprefix("Cluster ").split(" ", 1) for each in found.remarks)
    assert remarks["eu-1"] == "is taken as it was judged before this change"
    # Neither the status of a file counts, nor one that is not there.
    assert remarks["odd"] == remarks["new"]
    assert remarks["new"] == "is not usable before the controller has looked at it"
    assert "must be https:" in remarks["broken:"]


def test_a_namespace_that_is_not_there(kube: Kube) -> None:
    with pytest.raises(SourceError, match="-n nowhere: there is no such namespace"):
        compile_situation(kube, "nowhere", read_files([], "nowhere"), "mca-system")


def test_the_command_tells_where_a_call_goes(
    home: StoredHome, write: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        where = ("-n", "team-a", "--kubeconfig", str(home.kubeconfig))
        code = main([*where, *arguments])
        told = capsys.readouterr()
        return code, told.out or told.err

    assert run("list", "configmaps")[1].startswith("served by home: no route takes it")
    code, told = run("-f", write(route("maps", "eu-1")), "list", "configmaps")
    assert (code, told.splitlines()[:2]) == (
        0,
        [
            "served by eu-1: route maps",
            "  eu-1: https://eu-1.example.com; usable: yes; ready: unknown; guarded: unknown",
        ],
    )
    code, told = run("-f", write(route("maps", "nowhere")), "list", "configmaps")
    assert code == 1
    assert told.startswith(
        "refused: the route that takes it leads to a cluster that cannot be used"
    )
    assert "route maps does not count, ClusterNotAllowed" in told
    code, told = run("list", "pods", "--in", "team-b")
    assert (code, told.partition(":")[0]) == (1, "refused")
    assert json.loads(run("-o", "json", "list", "pods")[1])["tenant"] == "acme"
    for wrong in (("list", "no such thing"), ("-f", "/none", "list", "pods")):
        assert run(*wrong)[0] == 2
    assert home.methods == {b"GET"}
