import json
import re
from pathlib import Path
from typing import Any

import pytest

from sidecar.books import describe
from sidecar.policy.requestinfo import request_info
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import Caller, Denial
from webhook.cli.policy.audit_lines import NotAudit, Outcome, Record, Unreadable, read_line

ROOT = Path(__file__).resolve().parents[4]
CALLER = Caller("app", "team-a", "runner", "web-0")
FRAME = '{"type":"audit","v":1,"id":"7",%s}'


def line(**fields: Any) -> bytes:
    usual = {"type": "audit", "v": 1, "caller": "app", "verb": "list", "resource": "pods"}
    return json.dumps({**usual, "decision": "permit", "rule": "default/rbac", **fields}).encode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/team-a/pods?labelSelector=a%3Db&watch=1"),
        ("GET", "/api/v1/namespaces/team-a/pods?fieldSelector=metadata.name%3Dx"),
        ("POST", "/api/v1/namespaces/team-a/pods/x/exec?container=mca&command=ls"),
        ("GET", "/api/v1/namespaces/team-a/pods/x/log?insecureSkipTLSVerifyBackend=true"),
        ("DELETE", "/apis/apps/v1/namespaces/team-a/deployments"),
        ("PATCH", "/apis/apps/v1/namespaces/team-a/deployments/x/scale"),
        ("PUT", "/api/v1/namespaces/team-a/status"),
        ("GET", "/api/v1/nodes/x"),
        ("HEAD", "/apis"),
        ("GET", "/metrics"),
    ],
)
def test_what_the_sidecar_writes_is_read_back(method: str, path: str) -> None:
    """All of the request that a decision reads."""
    target = parse_target(path.encode())
    assert not isinstance(target, Denial)
    info = request_info(method, target)
    assert not isinstance(info, Denial)
    told = describe(CALLER, info, "permission/a", member="eu-1", route="r", permitted=True)
    found = read_line((FRAME % told.decode()).encode())
    assert isinstance(found, Record)
    assert found.ident == "7"
    assert found.caller == CALLER
    assert found.outcome == Outcome(True, "permission/a", "r", ("eu-1",))
    unread = {"path", "api_prefix", "long_running"} if info.is_resource else {"api_prefix"}
    for field in set(info._fields) - unread:
        assert getattr(found.info, field) == getattr(info, field), field


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, Outcome(True, "default/rbac")),
        ({"member": "home"}, Outcome(True, "default/rbac", "", ("home",))),
        ({"decision": "denial", "rule": "tenant/namespace"}, Outcome(False, "tenant/namespace")),
        (
            {"decision": "denial", "rule": "route/owner-references", "member": "x"},
            Outcome(False, "route/owner-references"),
        ),
        # Permitted by policy, and then not carried out.
        ({"rule": "upstream/down", "member": "home"}, Outcome(True, "", "", ("home",))),
        (
            {"decision": "denial", "rule": "limit/rate", "member": "a", "route": "r"},
            Outcome(True, "", "r", ("a",)),
        ),
        (
            {"decision": "denial", "rule": "snapshot/cluster", "member": "a"},
            Outcome(True, "", "", ("a",)),
        ),
        ({"decision": "denial", "rule": "limit/kinds"}, None),
        # Not decided by policy.
        ({"decision": "denial", "rule": "target/canonical"}, None),
        ({"decision": "denial", "rule": "snapshot/none"}, None),
        ({"decision": "denial", "rule": "tenant/unknown-kind"}, None),
        ({"decision": "denial", "rule": "identity/token", "caller": ""}, None),
        ({"decision": "denial", "rule": "tenant/namespace", "verb": ""}, None),
    ],
)
def test_what_came_of_it(fields: dict[str, Any], outcome: Outcome | None) -> None:
    found = read_line(line(**fields))
    assert isinstance(found, Record)
    assert found.outcome == outcome


def test_every_rule_that_is_not_policys_is_known_as_such() -> None:
    """What the sidecar itself refuses is no decision, or was permitted by one."""
    texts = (path.read_text() for path in (ROOT / "sidecar").glob("*.py"))
    rules = {name for text in texts for name in re.findall(r'"([a-z]+/[a-z-]+)"', text)}
    assert "limit/rate" in rules
    for rule in rules - {"application/json"}:
        found = read_line(line(decision="denial", rule=rule, member="home"))
        assert isinstance(found, Record)
        permitted = found.outcome == Outcome(True, "", "", ("home",))
        assert found.outcome is None or permitted or rule.startswith("guard/"), rule


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no audit line"),
        (line(v=2), "an audit line of another version"),
        (line(verb=7), "an audit line with a field of another type"),
        (line(rule=""), "an audit line without a decision"),
        (line(decision="maybe"), "an audit line without a decision"),
    ],
)
def test_what_is_unreadable(raw: bytes, why: str) -> None:
    assert read_line(raw) == Unreadable(why)


def test_lines_of_the_log_are_something_else() -> None:
    assert read_line(b'{"type":"log","event":"ready"}') == NotAudit()
