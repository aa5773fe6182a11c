"""What an admin does from a terminal on a real node: install, look, install again."""

from tests.node.installation import NAMESPACE, Images, install, run_mca
from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import ENFORCED, create, open_namespace
from tests.node.tenants import open_enforced

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


def test_mca_check_finds_nothing_wrong(node: Node, installed: Images) -> None:
    done = run_mca(node, "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mca_check_finds_a_labelled_namespace_at_work(node: Node, installed: Images) -> None:
    open_namespace(node, "looked-at", "app", "system:aggregate-to-view")
    create(node, "looked-at", write_pod("app", serviceAccountName="app"))
    node.wait_for_pod("looked-at", "app")
    done = run_mca(node, "check", "-n", "looked-at")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mca_check_reports_a_boundary_as_enforced(node: Node, installed: Images) -> None:
    tenant = open_enforced(node, "looked-at-hard")
    done = run_mca(node, "check", "-n", tenant.space)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mca_check_names_what_breaks_a_boundary(node: Node, installed: Images) -> None:
    """A pod and a token's Secret that were there before the label: guards look at new ones only."""
    space = "looked-at-late"
    node.plane.create_service_account(space, "app")
    metadata = {"name": "old", "annotations": {"kubernetes.io/service-account.name": "app"}}
    secret = {"metadata": metadata, "type": "kubernetes.io/service-account-token"}
    node.plane.create(f"/api/v1/namespaces/{space}/secrets", secret)
    pod = write_pod("before", serviceAccountName="app")
    node.plane.create(f"/api/v1/namespaces/{space}/pods", pod)
    labels = [f"{key}={text}" for key, text in ENFORCED.items()]
    node.plane.kubectl("label", "namespace", space, *labels)
    done = run_mca(node, "check", "-n", space)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "before" in done.stdout, done.stdout
    assert "old" in done.stdout, done.stdout
    node.plane.kubectl("delete", "-n", space, "--now", "pod/before", "secret/old")
    done = run_mca(node, "check", "-n", space)
    assert done.returncode == 0, done.stdout + done.stderr


def test_installing_again_changes_nothing(node: Node, installed: Images) -> None:
    def list_pods() -> set[str]:
        metadata = [each["metadata"] for each in node.plane.request("GET", PODS).json()["items"]]
        return {each["uid"] for each in metadata if "deletionTimestamp" not in each}

    before = list_pods()
    install(node, installed)
    assert list_pods() == before
