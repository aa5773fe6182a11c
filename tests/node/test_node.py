"""A node is Ready, and does for pods what a node does."""

from tests.node.node import Node
from tests.node.pods import FOREVER, write_pod


def test_a_pod_runs_with_logs_and_exec(node: Node) -> None:
    node.plane.create_service_account("plain", "default")
    node.plane.create("/api/v1/namespaces/plain/pods", write_pod("plain", f"echo hello; {FOREVER}"))
    pod = node.wait_for_pod("plain", "plain")
    assert pod["status"]["podIP"].startswith("10.244.0.")
    assert node.plane.kubectl("logs", "-n", "plain", "plain").stdout == "hello\n"
    done = node.plane.kubectl(
        "exec", "-i", "-n", "plain", "plain", "--", "sh", "-c", "cat; exit 7",
        input="through\n", check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("through\n", 7)


def test_a_pod_reaches_the_api_through_its_service(node: Node) -> None:
    node.plane.create_service_account("reach", "app", cluster_role="system:aggregate-to-view")
    script = "kubectl get pods -o name"
    pod = write_pod("reach", script, serviceAccountName="app")
    node.plane.create("/api/v1/namespaces/reach/pods", pod)
    node.wait_for_pod("reach", "reach", "Succeeded")
    assert node.plane.kubectl("logs", "-n", "reach", "reach").stdout == "pod/reach\n"
