"""Owns what happens in the demo, scene by scene.

Must not leave anything behind, nor tell what it has not checked.
"""

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

from tests.controlplane import BinaryMissingError, ControlPlane, find_binary
from webhook.cli.arguments import complain
from webhook.cli.demo.pod import ACCOUNT_FOLDER, Pod
from webhook.cli.demo.story import Story
from webhook.cli.run.folder import RunFolder
from webhook.cli.run.report import Report
from webhook.cli.run.sidecar_child import HOST, SidecarChild, SidecarError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
NAMESPACE = "team-a"
ACCOUNT = "app"
RULE = "guard/token-request"
PROGRAM = Path(__file__).resolve().parents[3] / "examples" / "in_cluster.py"
_SIGNAL_BASE = 128
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
# What the service account may do at home. Tokens are among it: it is not RBAC that refuses them.
_RULES = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
]

RawLine = dict[str, Any]


def run() -> int:
    """Play it; the exit code."""
    signal.signal(signal.SIGTERM, _leave)
    story = Story()
    try:
        with ExitStack() as stack:
            _Demo(story, stack).play()
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

    def __init__(self, story: Story, stack: ExitStack) -> None:
        self._story = story
        self._stack = stack
        self._folder = RunFolder({})
        stack.callback(self._folder.remove)

    def play(self) -> None:
        """All scenes."""
        plane = self._start_control_plane()
        token = self._make_account(plane)
        sidecar = self._start_sidecar(plane, token)
        pod = self._enter_pod(sidecar.port)
        self._use_kubectl(pod)
        self._use_python(pod)
        self._ask_for_a_token(pod, plane, token)
        self._carry_the_token_away(pod, plane)
        sidecar.stop()
        self._tell_audit(plane)

    def _start_control_plane(self) -> ControlPlane:
        story = self._story
        story.title("A real control plane")
        began = time.monotonic()
        plane = self._stack.enter_context(ControlPlane())
        version = plane.request("GET", "/version").json()["gitVersion"]
        story.say(
            f"etcd and kube-apiserver {version} at {plane.url},"
            f" ready after {time.monotonic() - began:.1f} s"
        )
        return plane

    def _make_account(self, plane: ControlPlane) -> str:
        plane.create_service_account(NAMESPACE, ACCOUNT)
        role = {"metadata": {"name": ACCOUNT}, "rules": _RULES}
        plane.create(f"{_RBAC}/namespaces/{NAMESPACE}/roles", role)
        binding = {
            "metadata": {"name": ACCOUNT},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": ACCOUNT,
            },
            "subjects": [{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": ACCOUNT}],
        }
        plane.create(f"{_RBAC}/namespaces/{NAMESPACE}/rolebindings", binding)
        token = plane.token(NAMESPACE, ACCOUNT)
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
        deadline = time.monotonic() + 10
        while plane.request("GET", path, token=token).status != 200:
            if time.monotonic() > deadline:
                raise RuntimeError("the service account was not given its role")
            time.sleep(0.05)
        self._story.say(
            f"namespace {NAMESPACE}, service account {ACCOUNT}:"
            " may use ConfigMaps there, and request tokens"
        )
        return token

    def _start_sidecar(self, plane: ControlPlane, token: str) -> SidecarChild:
        story, folder = self._story, self._folder
        story.title("The sidecar, as in a pod")
        folder.write("serviceaccount/token", token.encode())
        folder.write("serviceaccount/ca.crt", plane.ca_pem.encode())
        own = {
            "MCA_NAMESPACE": NAMESPACE,
            "MCA_POD": "app-0",
            "MCA_SERVICE_ACCOUNT": ACCOUNT,
            "MCA_CONTAINERS": "app",
            "KUBERNETES_SERVICE_HOST": HOST,
            "KUBERNETES_SERVICE_PORT": str(plane.port),
        }
        report = Report(os.path.join(folder.path, "audit.jsonl"))
        self._stack.callback(report.close)
        sidecar = SidecarChild(report)
        self._stack.callback(sidecar.stop)
        began = time.monotonic()
        story.command("sidecar", "mca sidecar")
        sidecar.start(
            {
                **{name: text for name, text in os.environ.items() if name[:4] != "MCA_"},
                **own,
                "MCA_SERVICE_ACCOUNT_DIR": os.path.join(folder.path, "serviceaccount"),
                "MCA_IDENTITY_DIR": os.path.join(folder.path, "identity"),
                "MCA_CLIENTS_DIR": os.path.join(folder.path, "clients"),
            }
        )
        story.say(
            f"serves https://{HOST}:{sidecar.port}, ready after"
            f" {(time.monotonic() - began) * 1000:.0f} ms with {_resident_mb(sidecar.pid)} MB;"
            " it alone has the service account's token"
        )
        return sidecar

    def _enter_pod(self, port: int) -> Pod:
        story = self._story
        story.title("The application's container")
        pod = Pod(self._folder, NAMESPACE, HOST, port)
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
            f"its token is the sidecar's ({held[:12]}...), none of the cluster",
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
        story.check("refused 403: " in told and RULE in told, "it was refused a token, by a rule")
        story.check(code == 0, "it ended well")

    def _ask_for_a_token(self, pod: Pod, plane: ControlPlane, token: str) -> None:
        story = self._story
        story.title("What no application gets: a real token")
        code, text = self._kubectl(pod, "create", "token", ACCOUNT)
        story.check(code != 0 and RULE in text, f"refused by the rule {RULE}")
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
        words[3] = os.path.join(self._folder.path, "serviceaccount", "ca.crt")
        code, text = self._kubectl(pod, *words, shown=shown)
        story.check(code != 0 and "must be logged in" in text, "nothing: 401")

    def _tell_audit(self, plane: ControlPlane) -> None:
        story = self._story
        story.title("Who did what: the sidecar's audit log")
        path = Path(self._folder.path, "audit.jsonl")
        raw = path.read_text().splitlines()
        lines: list[RawLine] = [json.loads(line) for line in raw]
        for line in lines:
            story.output(_describe(line))
        story.say("a line in full:")
        story.output(raw[-1])
        denied = [line for line in lines if line["decision"] == "denial"]
        story.check(
            [line["rule"] for line in denied] == [RULE] * len(denied) and len(denied) >= 2,
            f"{len(lines)} calls, {len(denied)} of them refused, each with its rule",
        )
        sent = {line["id"] for line in lines if line["decision"] == "permit"}
        known = plane.audit.wait_for(sent)
        users = {event["user"]["username"] for event in known.values()}
        story.check(
            users == {f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"},
            "the API server's own audit log has the others under the same ids,"
            f" as {', '.join(sorted(users))}",
        )
        heard = {event["auditID"] for event in plane.audit.since(0)}
        story.check(
            heard.isdisjoint(line["id"] for line in denied),
            "and has never heard of those that were refused",
        )


def _describe(line: RawLine) -> str:
    """One call in one line."""
    what = line.get("path") or "/".join(
        part for part in (line.get("resource"), line.get("name"), line.get("subresource")) if part
    )
    return (
        f"{line['time'][11:23]}  {line['caller']}  {line['verb']:<6}  {what:<32}"
        f"  {line['decision']:<6}  {line['rule']:<20}  {line['code']}"
    )


def _resident_mb(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return round(int(fields["VmRSS"].split()[0]) / 1024)
