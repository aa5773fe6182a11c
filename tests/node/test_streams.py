"""kubectl inside a pod, through its sidecar, to another pod: what kubelets stream, on real ones."""

import pytest

from tests.node.node import Node
from tests.node.pods import FOREVER, write_pod
from tests.node.sidecars import open_namespace

# RBAC's own `edit` may exec; here it needs no aggregation.
ROLE = "system:aggregate-to-edit"
VIEW = "system:aggregate-to-view"
SERVE = "python3 -m http.server --directory /etc 8000 >/dev/null 2>&1 &"


@pytest.fixture(scope="module")
def run(node: Node, webhook: None) -> tuple[str, ...]:
    """The beginning of a kubectl command that runs one in the container of the caller."""
    open_namespace(node, "streams", "app", ROLE)
    node.plane.create_service_account("streams", "app", cluster_role=VIEW)
    node.plane.create_service_account("streams", "default")
    spec = {"automountServiceAccountToken": False}
    target = write_pod("target", f"echo begun; {SERVE} {FOREVER}", **spec)
    for pod in (target, write_pod("caller", serviceAccountName="app")):
        node.plane.create("/api/v1/namespaces/streams/pods", pod)
    for name in ("target", "caller"):
        node.wait_for_pod("streams", name)
    return ("exec", "-i", "-n", "streams", "caller", "-c", "app", "--")


@pytest.mark.parametrize("websockets", ["true", "false"])
def test_exec_keeps_input_half_close_and_exit_code(
    node: Node, run: tuple[str, ...], websockets: str
) -> None:
    remote = ("env", f"KUBECTL_REMOTE_COMMAND_WEBSOCKETS={websockets}", "kubectl", "exec", "-i")
    # wc prints only when its input has ended: the half-close came through.
    script = "wc -c; echo told >&2; exit 9"
    done = node.plane.kubectl(
        *run, *remote, "target", "--", "sh", "-c", script, input="x" * 100_000, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("100000", 9), done.stderr
    assert "told" in done.stderr


@pytest.mark.parametrize("websockets", ["true", "false"])
def test_port_forward(node: Node, run: tuple[str, ...], websockets: str) -> None:
    script = (
        f"export KUBECTL_PORT_FORWARD_WEBSOCKETS={websockets};"
        "kubectl port-forward pod/target 9000:8000 >/tmp/out & "
        "until grep -q Forwarding /tmp/out; do sleep 0.1; done;"
        "python3 -c 'import urllib.request as u;"
        'print(u.urlopen("http://127.0.0.1:9000/hostname").read().decode())\'; kill $!; rm /tmp/out'
    )
    assert node.plane.kubectl(*run, "sh", "-c", script).stdout.strip() == "target"


def test_logs_are_followed_and_files_copied(node: Node, run: tuple[str, ...]) -> None:
    follow = "timeout 3 kubectl logs -f target || [ $? = 124 ]"
    assert node.plane.kubectl(*run, "sh", "-c", follow).stdout == "begun\n"
    copy = (
        "set -e; head -c 1000000 /dev/urandom >/tmp/a; kubectl cp /tmp/a target:/tmp/b;"
        "kubectl cp target:/tmp/b /tmp/c >/dev/null; cmp /tmp/a /tmp/c && echo same"
    )
    assert node.plane.kubectl(*run, "sh", "-c", copy).stdout.strip().endswith("same")
