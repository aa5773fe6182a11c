"""`mca explain` as its user meets it."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.webhook.cli.policy.scene import USUAL, document, permission, tenant, write
from webhook.cli.explain import main

SECRET = '{"type": "kubernetes.io/service-account-token"}'
AUDIT = document(tenant(permission("a", resources=["pods"]), mode="audit"))


@pytest.fixture
def snapshot(tmp_path: Path) -> str:
    return write(tmp_path / "policy.json")


def test_what_is_allowed(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--snapshot", snapshot, "get", "po/x", "-n", "team-b"]) == 0
    assert (
        capsys.readouterr().out
        == f"""\
allowed by permission/develop

  request      GET /api/v1/namespaces/team-b/pods/x
  asks to      get pods named x in namespace team-b
  caller       container app, service account default, namespace team-a
  policy       tenant acme, mode enforce; revision r1 of {snapshot}
  guards       passed: none objects
  scope        passed: namespace 'team-b' is one of the tenant 'acme'
  permissions  passed: permission/develop
  member       eu-1 (https://eu-1.example.com)
  route        builds
  plan         one member answers, while it is down us-1; resourceVersions carry the member\
 that they come from; every object in the answer must be of the namespace

Limits, the cluster's own RBAC and its admission still decide; nothing was sent to it.

Assumed:
  - container app: --as-container names another
  - pods has namespaces, as built into Kubernetes: at run time the cluster's discovery tells
"""
    )


def test_what_is_denied(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["create", "pods/x", "--subresource=exec", "--as-container=agent-1"]
    assert main(["--snapshot", snapshot, *words, "--service-account", "ci"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "denied by permission/no-exec"
    assert said[1].startswith("  create pods/exec in namespace 'team-a' is denied")
    assert "  request      POST /api/v1/namespaces/team-a/pods/x/exec" in said
    assert "  caller       container agent-1, service account ci, namespace team-a" in said
    assert "  permissions  refused: permission/no-exec" in said
    assert "  member       none: nothing would be sent" in said


@pytest.mark.parametrize(
    ("words", "code", "rule", "told"),
    [
        (("list", "pods", "-A"), 1, "tenant/all-namespaces", "e.g. -n team-a"),
        (("list", "sc"), 0, "clusterResource/0", "list storageclasses.storage.k8s.io\n"),
        (("get", "/apis"), 0, "default/discovery", "asked of home, eu-1 and merged, home wins"),
        (("get", "/metrics"), 0, "permission/metrics", "asks to      get /metrics"),
        (("get", "/logs"), 1, "default/deny", "one with nonResourcePaths would have to"),
        (("get", "/api/v1//pods"), 1, "target/canonical", "the path has an empty segment"),
        (
            ("GET", "/api/v1/namespaces/team-a/pods/x/exec"),
            0,
            "permission/develop",
            "create pods/exec named x in namespace team-a (an upgrade is judged as create)",
        ),
        (
            ("create", "selfsubjectrulesreviews.authorization.k8s.io"),
            0,
            "default/self-review",
            "its answer is reduced to what policy allows wholly",
        ),
        (
            ("create", "sa/x", "--subresource=token"),
            1,
            "guard/token-request",
            "no audience of the API server is known: --api-audience names them",
        ),
        (
            ("create", "sa/x", "--subresource=token", "--api-audience=api"),
            1,
            "guard/token-request",
            "a token request that names no audience",
        ),
    ],
)
def test_calls_of_all_sorts(
    words: tuple[str, ...],
    code: int,
    rule: str,
    told: str,
    snapshot: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--snapshot", snapshot, *words]) == code
    said = capsys.readouterr().out
    assert said.splitlines()[0].endswith(f" by {rule}")
    assert told in said


def test_bodies(
    snapshot: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["--snapshot", snapshot, "create", "secrets/x"]
    assert main(asked) == 0
    assumed = '  - the body {"metadata": {"name": "x"}}: --body FILE gives yours\n'
    assert assumed in capsys.readouterr().out
    (tmp_path / "body").write_text(SECRET)
    assert main([*asked, "--body", str(tmp_path / "body")]) == 1
    said = capsys.readouterr().out
    assert said.startswith("denied by guard/token-secret\n")
    assert "--body" not in said
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SECRET.encode())))
    assert main([*asked, "--body=-", "--content-type=application/json"]) == 1
    assert main([*asked, "--body=-", "--content-type=text/plain"]) == 1


def test_mode_audit_tells_what_enforce_would_deny(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = write(tmp_path / "audit.json", AUDIT)
    assert main(["--snapshot", snapshot, "get", "secrets/x"]) == 0
    said = capsys.readouterr().out
    assert "  the tenant is in mode audit: enforce would deny it by default/deny\n" in said
    assert main(["--snapshot", snapshot, "get", "secrets/x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["wouldDeny"] == "default/deny"


def test_a_question_about_rights_is_answered(
    tmp_path: Path, snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "list", "resource": "nodes"}},
    }
    (tmp_path / "body").write_text(json.dumps(review))
    asked = ["--snapshot", snapshot, "create", "selfsubjectaccessreviews.authorization.k8s.io"]
    asked += ["--body", str(tmp_path / "body")]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert said.startswith("answered by tenant/cluster-scoped\n")
    assert "  member       none: policy itself answers\n" in said
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["answer"]["status"]["allowed"]) == ("answered", False)


def test_for_machines(snapshot: str, capsys: pytest.CaptureFixture[str]) -> None:
    def ask(*words: str) -> dict[str, Any]:
        main(["--snapshot", snapshot, "--json", "--as-container=app", *words])
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    allowed = ask("get", "pods/x", "-n", "team-b")
    assert allowed["plan"] == {
        "kind": "single",
        "candidates": ["eu-1", "us-1"],
        "route": "builds",
        "tagged": True,
        "inspected": True,
    }
    assert (allowed["verdict"], allowed["rule"]) == ("allowed", "permission/develop")
    assert (allowed["member"], allowed["revision"]) == ("eu-1", "r1")
    assert allowed["caller"]["serviceAccount"] == "default"
    assert allowed["tenant"] == {"name": "acme", "mode": "enforce"}
    assert allowed["request"] == {
        "method": "GET",
        "target": "/api/v1/namespaces/team-b/pods/x",
        "verb": "get",
        "version": "v1",
        "resource": "pods",
        "namespace": "team-b",
        "name": "x",
        "isResource": True,
    }
    assert [step["stage"] for step in allowed["steps"]] == [
        "guards",
        "scope",
        "permissions",
        "route",
        "plan",
    ]
    denied = ask("get", "nodes/x")
    assert denied["rule"] == "tenant/cluster-scoped"
    assert (denied["verdict"], denied["code"], denied["reason"]) == ("denied", 403, "Forbidden")
    assert "member" not in denied
    assert "request" not in ask("get", "/api/v1/../x")


def test_without_a_tenant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snapshot = write(tmp_path / "s", document(None))
    assert main(["--snapshot", snapshot, "list", "widgets.x.com"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("allowed by default/rbac\n")
    assert "  policy       no tenant; revision r1 of " in said
    assert "  route        none: home serves what no route names\n" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "/apis/apps/v1/widgets"), "give --kinds widgets.apps=namespaced or"),
        (("get", "widgets"), "mca explain: 'widgets' is no kind built into Kubernetes"),
        (("get", "pod", "web"), "one TARGET is asked about: write pod/web to name an object"),
        (("GET", "https://x/api"), "names a server: give the path alone, as in /api/v1/pods"),
        (("get", "po", "--kinds=x"), "'x' tells no scope"),
        (("get", "po", "--body=/no/such"), "--body /no/such: No such file or directory"),
        (("get", "po", "--as-container=mca"), "the sidecar's own calls pass no policy"),
        (("create", "secrets", "--body=/no"), "--body /no: No such file or directory"),
    ],
)
def test_errors(
    words: tuple[str, ...], said: str, snapshot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--snapshot", snapshot, *words]) == 2
    assert said in capsys.readouterr().err


def test_a_snapshot_that_is_not_usable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = write(tmp_path / "s", {**USUAL, "revision": "", "routes": 1})
    assert main(["--snapshot", broken, "get", "po"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2] for line in said] == ["revision", "routes"]
    assert main(["--snapshot", str(tmp_path / "no"), "get", "po"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "the following arguments are required: VERB, TARGET"),
        (("get", "po"), "one of the arguments --snapshot --pod is required"),
        (("--snapshot=a", "--pod=b/c", "get", "po"), "not allowed with argument --snapshot"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(list(words))
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


def test_it_needs_nothing_but_the_base_install(snapshot: str, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.write_text('{"type":"audit","v":1,"decision":"denial","rule":"identity/token"}\n')
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from webhook.cli import main\n"
        "s, calls = sys.argv[1:]\n"
        "assert main(['explain', '--snapshot', s, 'get', 'po/x']) == 0\n"
        "assert main(['policy', 'check', s]) == 0\n"
        "assert main(['policy', 'replay', calls, '--snapshot', s]) == 0\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "foreign = loaded - sys.stdlib_module_names - {'sidecar', 'webhook'}\n"
        "slow = loaded & {'asyncio', 'ssl', 'email', 'http', 'tempfile'}\n"
        "sys.exit(f'{foreign} {slow}' if foreign or slow else 0)\n"
    )
    root = str(Path(__file__).resolve().parents[4])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, snapshot, str(calls)],
        env={"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
