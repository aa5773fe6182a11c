"""Owns what happens in the demo, scene by scene.

Must not leave anything behind, nor tell what it has not checked.
"""

import contextlib
import io
import json
import os
import shlex
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from sidecar.policy.snapshot import HOME
from tests.controlplane import BinaryMissingError, ControlPlane, find_binary
from webhook.cli import EXIT_INTERRUPTED
from webhook.cli.arguments import complain
from webhook.cli.demo.pod import ACCOUNT_FOLDER, Pod
from webhook.cli.demo.stage import (
    ACCOUNT,
    DEV,
    FOREIGN,
    MEMBER,
    NAMESPACE,
    ROUTE,
    TENANT,
    Stage,
)
from webhook.cli.demo.story import Story
from webhook.cli.explain import EXIT_DENIED, main as explain
from webhook.cli.run.sidecar_child import HOST, SidecarChild, SidecarError

EXIT_FAILED = 1
TOKEN_RULE = "guard/token-request"  # noqa: S105 - the name of a rule
SCOPE_RULE = "tenant/namespace"
PROGRAM = Path(__file__).resolve().parents[3] / "examples" / "in_cluster.py"
_SIGNAL_BASE = 128

RawLine = dict[str, Any]


def run() -> int:
    """Play it; the exit code."""
    signal.signal(signal.SIGTERM, _leave)
    story = Story()
    try:
        with ExitStack() as stack:
            _Demo(story, Stage(stack)).play()
    except (BinaryMissingError, RuntimeError, SidecarError, OSError) as error:
        complain(str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        complain("interrupted; everything is stopped and removed")
        return EXIT_INTERRUPTED
    print()
    if story.failures:
        print(f"{len(story.failures)} of this was not as it should be.")
        return EXIT_FAILED
    print("All of this happened as told.")
    return 0


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(_SIGNAL_BASE + number)


class _Demo:
    """The parts on stage."""

    def __init__(self, story: Story, stage: Stage) -> None:
        self._story = story
        self._stage = stage

    def play(self) -> None:
        """All scenes."""
        home, member = self._start_control_planes()
        token = self._stage.make_accounts(home, member)
        self._tell_rules(home, member)
        sidecar = self._start_sidecar()
        pod = self._enter_pod(sidecar.port)
        self._use_kubectl(pod)
        self._use_both_clusters(pod, home, member)
        self._use_python(pod)
        self._leave_the_tenant(pod, home, token)
        self._ask_for_a_token(pod, home, token)
        self._carry_the_token_away(pod, home)
        sidecar.stop()
        self._tell_audit({HOME: home, MEMBER: member})

    def _start_control_planes(self) -> tuple[ControlPlane, ControlPlane]:
        story = self._story
        story.title("Two real clusters")
        story.say(f"starting etcd and kube-apiserver twice, as {HOME} and {MEMBER} ...")
        planes = []
        futures = self._stage.start_planes()
        for name, future in zip((HOME, MEMBER), futures, strict=True):
            started = future.result()
            version = started.plane.request("GET", "/version").json()["gitVersion"]
            story.say(
                f"{name}: kube-apiserver {version} at {started.plane.url},"
                f" ready after {started.took_s:.1f} s"
            )
            planes.append(started.plane)
        home, member = planes
        return home, member

    def _tell_rules(self, home: ControlPlane, member: ControlPlane) -> None:
        story = self._story
        story.title("One tenant and one route: what the sidecar decides by")
        self._stage.write_snapshot(home, member)
        story.output(f'"tenant": {json.dumps(TENANT)}')
        story.output(f'"routes": {json.dumps([ROUTE])}')
        story.say(
            f"the namespaces of {TENANT['name']} are {NAMESPACE} and {DEV};"
            f" {DEV} is served by {MEMBER}"
        )

    def _start_sidecar(self) -> SidecarChild:
        story = self._story
        story.title("The sidecar, as in a pod")
        began = time.monotonic()
        story.command("sidecar", "mca sidecar")
        sidecar = self._stage.start_sidecar()
        story.say(
            f"serves https://{HOST}:{sidecar.port}, ready after"
            f" {(time.monotonic() - began) * 1000:.0f} ms with {_resident_mb(sidecar.pid)} MB;"
            " it alone has credentials of the clusters"
        )
        return sidecar

    def _enter_pod(self, port: int) -> Pod:
        story = self._story
        story.title("The application's container")
        pod = Pod(self._stage.folder, NAMESPACE, HOST, port)
        if pod.why_not:
            story.say(f"{ACCOUNT_FOLDER} cannot be mounted here ({pod.why_not}):")
            story.say("the applications use a kubeconfig with the same token and CA instead")
        else:
            story.command("app", f"ls {ACCOUNT_FOLDER}")
            story.output(pod.run("ls", ACCOUNT_FOLDER).stdout)
        story.command("app", "env | grep KUBERNETES")
        for name, text in pod.env.items():
            if name.startswith("KUBERNETES"):
                story.output(f"{name}={text}")
        held = Path(pod.shown, "token").read_text()
        story.check(
            held.startswith("mca-app."),
            f"its token is the sidecar's ({held[:12]}...), none of the clusters",
        )
        return pod

    def _kubectl(self, pod: Pod, *arguments: str, shown: str = "") -> tuple[int, str]:
        self._story.command("app", f"kubectl {shown or shlex.join(arguments)}")
        done = pod.run(str(find_binary("kubectl")), *arguments)
        self._story.output(done.stdout + done.stderr)
        return done.returncode, done.stdout + done.stderr

    def _use_kubectl(self, pod: Pod) -> None:
        story = self._story
        story.title("kubectl, unmodified")
        code, text = self._kubectl(
            pod, "create", "configmap", "greeting", "--from-literal=text=hello"
        )
        story.check(code == 0 and "configmap/greeting created" in text, "a ConfigMap is created")
        code, text = self._kubectl(pod, "get", "configmaps")
        story.check(code == 0 and "greeting" in text, "and listed")

    def _use_both_clusters(self, pod: Pod, home: ControlPlane, member: ControlPlane) -> None:
        story = self._story
        story.title(f"The same API, another cluster: {DEV} is served by {MEMBER}")
        words = ("create", "configmap", "build", "-n", DEV, "--from-literal=number=1")
        code, text = self._kubectl(pod, *words)
        story.check(code == 0 and "configmap/build created" in text, "a ConfigMap is created")
        path = f"/api/v1/namespaces/{DEV}/configmaps/build"
        found = member.request("GET", path).status, home.request("GET", path).status
        story.check(found == (200, 404), f"it is on {MEMBER}, and {HOME} has none")
        code, text = self._kubectl(pod, "get", "configmaps", "-n", DEV)
        story.check(code == 0 and "build" in text, "kubectl sees it as any other")

    def _use_python(self, pod: Pod) -> None:
        story = self._story
        story.title("A Python program with the official client and in-cluster configuration")
        story.command("app", f"python {PROGRAM.parent.name}/{PROGRAM.name} {NAMESPACE} &")
        lines: list[str] = []

        def hear(line: str) -> None:
            lines.append(line)
            story.output(line)
            if line == "watching":
                patch = '{"data":{"text":"hello, world"}}'
                self._kubectl(pod, "patch", "configmap", "greeting", "--patch", patch)

        code = pod.follow(sys.executable, str(PROGRAM), NAMESPACE, on_line=hear)
        told = "\n".join(lines)
        story.check("listed greeting: {'text': 'hello'}" in lines, "it listed the ConfigMap")
        story.check(
            "modified greeting: {'text': 'hello, world'}" in lines,
            "it saw by its watch what kubectl changed",
        )
        refused = "refused 403: " in told and TOKEN_RULE in told
        story.check(refused, "it was refused a token, by a rule")
        story.check(code == 0, "it ended well")

    def _leave_the_tenant(self, pod: Pod, home: ControlPlane, token: str) -> None:
        story = self._story
        story.title("Outside the tenant: refused, with the rule, which can be explained")
        code, text = self._kubectl(pod, "get", "configmaps", "-n", FOREIGN)
        story.check(code != 0 and SCOPE_RULE in text, f"refused by the rule {SCOPE_RULE}")
        answer = home.request("GET", f"/api/v1/namespaces/{FOREIGN}/configmaps", token=token)
        story.check(
            answer.status == 200,
            f"its service account may: by RBAC alone it reads them ({answer.status})",
        )
        asked = ("list", "configmaps", "-n", FOREIGN, "--as-container", "app")
        code, text = self._explain(*asked)
        story.check(code == EXIT_DENIED and SCOPE_RULE in text, "the same rule, and nothing sent")

    def _explain(self, *arguments: str) -> tuple[int, str]:
        """`mca explain`, as an operator runs it."""
        words = ("--snapshot", "snapshot.json", *arguments)
        self._story.command("operator", f"mca explain {shlex.join(words)}")
        written = io.StringIO()
        with contextlib.redirect_stdout(written):
            code = explain(["--snapshot", self._stage.snapshot_path, *arguments])
        text = written.getvalue().replace(f"{self._stage.folder.path}/", "")
        self._story.output(text)
        return code, text

    def _ask_for_a_token(self, pod: Pod, plane: ControlPlane, token: str) -> None:
        story = self._story
        story.title("What no application gets: a real token")
        code, text = self._kubectl(pod, "create", "token", ACCOUNT)
        story.check(code != 0 and TOKEN_RULE in text, f"refused by the rule {TOKEN_RULE}")
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
        answer = plane.request("POST", path, {"spec": {"audiences": []}}, token=token)
        story.check(
            answer.status == 201,
            f"its service account may: without the sidecar the API server grants it"
            f" ({answer.status})",
        )

    def _carry_the_token_away(self, pod: Pod, plane: ControlPlane) -> None:
        story = self._story
        story.title("What its token is worth elsewhere")
        held = Path(pod.shown, "token").read_text()
        there = ("--server", plane.url, "--certificate-authority", "cluster-ca.crt")
        words = [*there, "--token", held, "get", "--raw", "/api"]
        shown = shlex.join(words).replace(held, '"$(cat token)"')
        words[3] = os.path.join(self._stage.folder.path, "members", HOME, "ca.crt")
        code, text = self._kubectl(pod, *words, shown=shown)
        story.check(code != 0 and "must be logged in" in text, "nothing: 401")

    def _tell_audit(self, planes: dict[str, ControlPlane]) -> None:
        story = self._story
        story.title("Who did what: the sidecar's audit log")
        raw = Path(self._stage.audit_path).read_text().splitlines()
        lines: list[RawLine] = [json.loads(line) for line in raw]
        for line in lines:
            story.output(_describe(line))
        story.say("a line in full:")
        story.output(raw[-1])
        denied = [line for line in lines if line["decision"] == "denial"]
        story.check(
            {line["rule"] for line in denied} == {TOKEN_RULE, SCOPE_RULE} and len(denied) >= 3,
            f"{len(lines)} calls, {len(denied)} of them refused, each with its rule",
        )
        for name, plane in planes.items():
            # Merged discovery is asked for in calls of the sidecar's own.
            sent = {
                line["id"] for line in lines if line.get("member") == name and "resource" in line
            }
            users = {event["user"]["username"] for event in plane.audit.wait_for(sent).values()}
            story.check(
                len(users) == 1 and bool(sent),
                f"{name}'s own audit log has its {len(sent)} under the same ids,"
                f" as {', '.join(sorted(users))}",
            )
        heard = {event["auditID"] for plane in planes.values() for event in plane.audit.since(0)}
        story.check(
            heard.isdisjoint(line["id"] for line in denied),
            "and neither has ever heard of those that were refused",
        )


def _describe(line: RawLine) -> str:
    """One call in one line."""
    what = line.get("path") or "/".join(
        part for part in (line.get("resource"), line.get("name"), line.get("subresource")) if part
    )
    return (
        f"{line['time'][11:23]}  {line['caller']}  {line['verb']:<6}  {what:<32}"
        f"  {line['decision']:<6}  {line['rule']:<24}  {line.get('member', '-'):<4}  {line['code']}"
    )


def _resident_mb(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return round(int(fields["VmRSS"].split()[0]) / 1024)
