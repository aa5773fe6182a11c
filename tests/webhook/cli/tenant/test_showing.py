"""What `mca tenant list` and `show` say of Tenants as they are stored."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.webhook.cli.stored_home import StoredHome
from webhook.cli.tenant.showing import list_tenants, show_tenant

Run = Callable[..., tuple[int, str, str]]


def condition(kind: str, status: str, reason: str, generation: int = 2) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": f"about {kind}",
            "observedGeneration": generation}  # fmt: skip


def tenant(name: str, *conditions: Any, **status: Any) -> dict[str, Any]:
    return {
        "kind": "Tenant",
        "metadata": {"name": name, "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"mode": "enforce", "boundary": "none", "clusters": ["eu-1", "eu-2"]},
        "status": {"conditions": list(conditions), **status},
    }


def route(namespace: str, name: str, priority: int, *conditions: Any) -> dict[str, Any]:
    to = {"members": [{"cluster": "eu-1"}], "standIns": ["home"]}
    return {
        "kind": "Route",
        "metadata": {"namespace": namespace, "name": name, "generation": 2},
        "spec": {"priority": priority, "to": to},
        "status": {"conditions": list(conditions)},
    }


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StoredHome]:
    with StoredHome(tmp_path) as home:
        yield home


@pytest.fixture
def run(home: StoredHome, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(work: Callable[[list[str]], int], *arguments: str) -> tuple[int, str, str]:
        code = work([*arguments, "--kubeconfig", str(home.kubeconfig)])
        told = capsys.readouterr()
        assert home.methods <= {b"GET"}
        return code, told.out, told.err

    return run


def test_each_with_what_it_has_and_how_it_is(home: StoredHome, run: Run) -> None:
    sidecars = {"total": 7, "old": 2}
    home.add(
        tenant("acme", condition("Ready", "True", "x"), namespaces=["a", "b"], sidecars=sidecars),
        tenant("bad", condition("Ready", "False", "NamespacesFailed")),
        tenant("late", condition("Ready", "True", "x", generation=1)),
        tenant("new"),
    )
    code, told, _ = run(list_tenants)
    rows = {line.split()[0]: line for line in told.splitlines()}
    assert code == 0
    assert rows["acme"].split()[1:8] == ["enforce", "none", "2", "eu-1,eu-2", "yes", "7", "2"]
    assert "no (NamespacesFailed)" in rows["bad"]
    assert "unknown" in rows["late"]  # of what it stated before
    assert "yes" not in rows["new"]
    code, told, _ = run(list_tenants, "-o", "json")
    assert [item["metadata"]["name"] for item in json.loads(told)["items"]] == [
        "acme", "bad", "late", "new",
    ]  # fmt: skip


def test_none_is_said_so(run: Run) -> None:
    code, told, said = run(list_tenants)
    assert (code, told) == (0, "")
    assert "there is none" in said


def test_one_with_its_conditions_and_the_routes_of_its_namespaces(
    home: StoredHome, run: Run
) -> None:
    home.add(
        tenant(
            "acme",
            condition("Accepted", "True", "Accepted"),
            condition("Network", "False", "Refused"),
            condition("Ready", "True", "x", generation=1),
            namespaces=["a"],
            sidecars={"total": 3, "old": 1},
        ),
        route("a", "low", 1, condition("Accepted", "False", "ClusterUnknown")),
        route("a", "high", 9, condition("Accepted", "True", "Accepted")),
        route("elsewhere", "foreign", 5),
    )
    code, told, _ = run(show_tenant, "acme")
    assert code == 0
    lines = told.splitlines()
    assert lines[0] == "acme: mode enforce, boundary none"
    assert "  clusters: eu-1, eu-2" in lines
    assert "  sidecars: 3, of them 1 on an old policy" in lines
    assert "  ok       Accepted (Accepted): about Accepted" in lines
    assert "  fail     Network (Refused): about Network" in lines
    assert any(line.startswith("  unknown  Ready (Outdated)") for line in lines)
    names = [line.split()[1] for line in lines if line.startswith("  a ")]
    assert names == ["high", "low"]
    assert "foreign" not in told
    routes = json.loads(run(show_tenant, "acme", "-o", "json")[1])["routes"]
    assert [each["metadata"]["name"] for each in routes] == ["low", "high"]


def test_one_that_nobody_has_looked_at(home: StoredHome, run: Run) -> None:
    new = tenant("new")
    new["spec"]["clusters"] = []
    home.add(new, route("a", "r", 1))
    _, told, _ = run(show_tenant, "new")
    assert "  clusters: home alone" in told
    assert "  namespaces: none yet" in told
    assert "  no controller has looked at it yet" in told
    assert "routes" not in told


def test_one_that_is_not_there(run: Run) -> None:
    code, told, said = run(show_tenant, "nobody")
    assert (code, told) == (1, "")
    assert "Tenant nobody is not there: mca tenant list" in said


def test_a_kubeconfig_that_is_no_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_tenants(["--kubeconfig", str(tmp_path / "none")]) == 64
    assert "none" in capsys.readouterr().err
