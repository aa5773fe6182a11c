"""kubectl inside a pod, through its sidecar, to another pod: what kubelets stream, on real ones."""

import pytest

from tests.node.node import Node
from tests.node.pods import write_pod, write_talker
from tests.node.sidecars import create, open_namespace

# RBAC's own `edit` may exec; here it needs no aggregation.
ROLE = "system:aggregate-to-edit"
VIEW = "system:aggregate-to-view"
PROTOCOLS = pytest.mark.parametrize("websockets", ["true", "false"])
# Sends while it receives, until all is back; then what comes of a half-close: kubectl and the
# kubelet's runtime have their own ways with it.
TALK = """\
import socket, threading
with socket.create_connection(("127.0.0.1", 9778), timeout=30) as connection:
    threading.Thread(target=connection.sendall, args=[bytes(1_000_000)]).start()
    count = 0
    while count < 1_000_000:
        count += len(connection.recv(65536))
print("all is back")
with socket.create_connection(("127.0.0.1", 9777), timeout=30) as connection:
    connection.sendall(b"x" * 1000)
    connection.shutdown(socket.SHUT_WR)
    print(sum(map(len, iter(lambda: connection.recv(65536), b""))), "after a half-close")
"""


@pytest.fixture(scope="module")
def run(node: Node, installed: object) -> tuple[str, ...]:
    """The beginning of a kubectl command that runs one in the container of the caller."""
    open_namespace(node, "streams", "app", ROLE)
    node.plane.create_service_account("streams", "app", cluster_role=VIEW)
    node.plane.create_service_account("streams", "default")
    node.plane.create("/api/v1/namespaces/streams/pods", write_talker("target"))
    create(node, "streams", write_pod("caller", serviceAccountName="app"))
    for role in (ROLE, VIEW):
        node.plane.create_service_account("streams-direct", "app", cluster_role=role)
    direct = write_pod("caller", serviceAccountName="app")
    node.plane.create("/api/v1/namespaces/streams-direct/pods", direct)
    for space, name in (("streams", "target"), ("streams", "caller"), ("streams-direct", "caller")):
        node.wait_for_pod(space, name)
    return ("exec", "-i", "-n", "streams", "caller", "-c", "app", "--")


def kubectl(websockets: str, *arguments: str) -> tuple[str, ...]:
    """By the one protocol or the other."""
    variables = ("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS")
    return ("env", *(f"{name}={websockets}" for name in variables), "kubectl", *arguments)


@PROTOCOLS
def test_exec_keeps_input_half_close_and_exit_code(
    node: Node, run: tuple[str, ...], websockets: str
) -> None:
    # wc prints only when its input has ended: the half-close came through.
    script = "wc -c; echo told >&2; exit 9"
    remote = kubectl(websockets, "exec", "-i", "target", "--", "sh", "-c", script)
    done = node.plane.kubectl(*run, *remote, input="x" * 100_000, check=False)
    assert (done.stdout.strip(), done.returncode) == ("100000", 9), done.stderr
    assert "told" in done.stderr


@PROTOCOLS
def test_a_terminal_has_its_size_and_its_exit_code(
    node: Node, run: tuple[str, ...], websockets: str
) -> None:
    """`script` gives kubectl a terminal, in the caller's container; its size comes late."""
    remote = " ".join(kubectl(websockets, "exec", "-it", "target", "--", "sh", "-c"))
    command = f"stty rows 33 cols 77; {remote} 'sleep 1; stty size; exit 5'"
    done = node.plane.kubectl(*run, "script", "-qec", command, "/dev/null", check=False)
    assert ("33 77" in done.stdout, done.returncode) == (True, 5), done.stdout + done.stderr


@PROTOCOLS
def test_attach_sees_what_is_printed_from_now_on(
    node: Node, run: tuple[str, ...], websockets: str
) -> None:
    attach = " ".join(kubectl(websockets, "attach", "target"))
    script = f"timeout 5 {attach} 2>/dev/null | head -2"
    lines = node.plane.kubectl(*run, "sh", "-c", script).stdout.splitlines()
    first, second = (int(line.removeprefix("line ")) for line in lines)
    assert second == first + 1


@PROTOCOLS
def test_port_forward_is_as_without_a_sidecar(
    node: Node, run: tuple[str, ...], websockets: str
) -> None:
    ports = ("-n", "streams", "port-forward", "pod/target", "9777:7777", "9778:7778")
    script = (
        f"{' '.join(kubectl(websockets, *ports))} >/tmp/out & "
        "until grep -q '9778 -> 7778' /tmp/out; do sleep 0.1; kill -0 $! || exit 1; done;"
        f"python3 -c '{TALK}'; kill $!; rm /tmp/out"
    )
    direct = ("exec", "-n", "streams-direct", "caller", "-c", "app", "--")
    told = [node.plane.kubectl(*at, "sh", "-c", script).stdout for at in (run, direct)]
    assert told[0] == told[1]
    assert told[0].startswith("all is back\n")


def test_logs_are_followed_as_they_come(node: Node, run: tuple[str, ...]) -> None:
    follow = "timeout 3 kubectl logs -f --tail=1 target || [ $? = 124 ]"
    lines = node.plane.kubectl(*run, "sh", "-c", follow).stdout.splitlines()
    numbers = [int(line.removeprefix("line ")) for line in lines]
    assert len(numbers) > 3
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@PROTOCOLS
def test_files_are_copied_both_ways(node: Node, run: tuple[str, ...], websockets: str) -> None:
    there = " ".join(kubectl(websockets, "cp", "/tmp/a", "target:/tmp/b"))
    back = " ".join(kubectl(websockets, "cp", "target:/tmp/b", "/tmp/c"))
    copy = (
        f"set -e; head -c 1000000 /dev/urandom >/tmp/a; {there}; {back} >/dev/null;"
        "cmp /tmp/a /tmp/c && echo same; rm /tmp/a /tmp/c"
    )
    assert node.plane.kubectl(*run, "sh", "-c", copy).stdout.strip().endswith("same")
