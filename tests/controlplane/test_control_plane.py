"""The harness itself: it starts, stops, leaves nothing, and two run at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane, ServerProcess, choose_port

REPOSITORY = Path(__file__).resolve().parents[2]


def has_ended(pid: int) -> bool:
    """Whether a process that need not be our child is gone, or only waits to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_until_ended(pids: list[int], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not all(has_ended(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still running: {pids}"
        time.sleep(0.02)


def test_versions_are_the_pinned_ones(control_plane: ControlPlane) -> None:
    versions = json.loads(control_plane.kubectl("version", "-o", "json").stdout)
    assert versions["clientVersion"]["gitVersion"].startswith("v1.36.")
    assert versions["serverVersion"]["gitVersion"].startswith("v1.36.")


def test_kubectl_takes_input_and_shows_errors(control_plane: ControlPlane) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "harness-input"}}
    shown = control_plane.kubectl("apply", "-f", "-", input=json.dumps(manifest)).stdout
    assert "namespace/harness-input" in shown
    with pytest.raises(RuntimeError, match="NotFound"):
        control_plane.kubectl("get", "namespace", "harness-absent")


def test_a_user_without_rights_is_refused_and_audited(control_plane: ControlPlane) -> None:
    mark = control_plane.audit.mark()
    answer = control_plane.request(
        "GET",
        "/api/v1/namespaces/harness/secrets/a",
        token=control_plane.tokens["nobody"],
        headers={"Audit-ID": "harness-nobody"},
    )
    assert answer.status == 403
    event = control_plane.audit.wait_for({"harness-nobody"})["harness-nobody"]
    assert event["verb"] == "get"
    assert event["objectRef"] == {
        "resource": "secrets",
        "namespace": "harness",
        "name": "a",
        "apiVersion": "v1",
    }
    assert event in control_plane.audit.since(mark)
    assert {each["stage"] for each in control_plane.audit.since(mark)} == {"ResponseComplete"}


def test_audit_wait_names_what_did_not_come(control_plane: ControlPlane) -> None:
    with pytest.raises(TimeoutError, match="harness-never"):
        control_plane.audit.wait_for({"harness-never"}, timeout_s=0.1)


def test_anonymous_is_nobody(control_plane: ControlPlane) -> None:
    assert control_plane.request("GET", "/api/v1/pods", token="").status == 403


def test_service_account_tokens_are_real(control_plane: ControlPlane) -> None:
    control_plane.create_service_account(
        "harness-sa", "reader", cluster_role="system:aggregate-to-view"
    )
    pods = "/api/v1/namespaces/harness-sa/pods"
    token = control_plane.token("harness-sa", "reader")
    assert control_plane.request("GET", pods, token=token).status == 200
    for_others = control_plane.token("harness-sa", "reader", audiences=["https://elsewhere"])
    assert control_plane.request("GET", pods, token=for_others).status == 401


def test_two_at_once_are_apart(
    control_plane: ControlPlane, make_control_plane: Callable[..., ControlPlane]
) -> None:
    other = make_control_plane()
    other.create_namespace("harness-other")
    assert control_plane.folder != other.folder
    assert not set(control_plane.pids.values()) & set(other.pids.values())
    assert control_plane.request("GET", "/api/v1/namespaces/harness-other").status == 404
    stranger = control_plane.tokens["admin"]
    assert other.request("GET", "/api/v1/namespaces", token=stranger).status == 401


def test_no_port_is_chosen_for_two() -> None:
    """Each may be chosen before the one before is bound."""
    ports = [choose_port() for _ in range(1_000)]
    assert len(set(ports)) == len(ports)


def test_stop_leaves_nothing(make_control_plane: Callable[..., ControlPlane]) -> None:
    plane = make_control_plane()
    pids, folder = list(plane.pids.values()), plane.folder
    assert len(pids) == 2
    plane.stop()
    assert all(not Path(f"/proc/{pid}").exists() for pid in pids)
    assert not folder.exists()
    plane.stop()


def test_restart_keeps_port_and_data_and_compaction_forgets(
    make_control_plane: Callable[..., ControlPlane],
) -> None:
    plane = make_control_plane(flags={"watch-cache": "false"})
    plane.create_namespace("kept")
    listed = plane.request("GET", "/api/v1/namespaces?limit=1").json()["metadata"]
    plane.create_namespace("later")
    url = plane.url
    plane.restart_api_server()
    assert plane.url == url
    assert plane.request("GET", "/api/v1/namespaces/kept").status == 200
    plane.compact_etcd()
    old = f"/api/v1/namespaces?resourceVersion={listed['resourceVersion']}"
    answer = plane.request("GET", f"{old}&resourceVersionMatch=Exact")
    assert (answer.status, answer.json()["reason"]) == (410, "Expired")


def test_controller_manager_makes_default_accounts(
    make_control_plane: Callable[..., ControlPlane],
) -> None:
    plane = make_control_plane(controller_manager=True, features={"WatchList": False})
    assert set(plane.pids) == {"etcd", "kube-apiserver", "kube-controller-manager"}
    account = plane.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    assert account.status == 200


def test_a_bad_flag_is_told_with_the_servers_own_words() -> None:
    plane = ControlPlane(flags={"no-such-flag": "1"})
    with pytest.raises(RuntimeError, match="unknown flag: --no-such-flag"):
        plane.start()
    assert not plane.pids


@pytest.mark.apiserver
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_up_never_outlives_its_command(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.controlplane", "up"]
    up = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with up:
        assert up.stdout is not None
        folder = Path(up.stdout.readline().strip().removeprefix("export KUBECONFIG=")).parent
        assert (folder / "admin.kubeconfig").exists()
        parents = f"/proc/{up.pid}/task"
        children = [
            int(pid)
            for task in Path(parents).iterdir()
            for pid in (task / "children").read_text().split()
        ]
        assert len(children) == 2
        up.send_signal(number)
        code = up.wait(timeout=20)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    wait_until_ended(children)
    if number != signal.SIGKILL:
        assert not folder.exists()


def test_a_server_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from tests.controlplane import ServerProcess\n"
        "made = []\n"
        "start = lambda: made.append(ServerProcess(['/bin/sleep', '60'], log=Path(sys.argv[1])))\n"
        "thread = threading.Thread(target=start); thread.start(); thread.join()\n"
        "time.sleep(0.3)\n"
        "assert made[0].is_running(), 'it must not die with the thread that asked for it'\n"
        "print(made[0].pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not has_ended(pid)
        parent.kill()
    wait_until_ended([pid])


def test_terminate_ends_what_does_not_listen(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; echo set; while :; do sleep 0.1; done"
    process = ServerProcess(
        ["/bin/sh", "-c", stubborn], log=tmp_path / "log", environment=dict(os.environ)
    )
    while b"set" not in (tmp_path / "log").read_bytes():
        time.sleep(0.01)
    process.terminate(timeout_s=0.2)
    assert not process.is_running()
    assert "sh ended with code -9" in process.describe_end()
