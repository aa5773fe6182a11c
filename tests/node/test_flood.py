"""Attack 79 on a real node: one namespace floods the webhook, another's pods are created still."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.sidecars import INJECTED, create, list_init_containers, open_namespace

VIEW = "system:aggregate-to-view"
SYSTEM = "/api/v1/namespaces/mca-system"
FLOODERS = 8
SECONDS = 8.0
LARGE = "x" * 1_000_000
LONGEST_S = 5.0  # the webhook's own limit
GATE = [{"name": "example.com/never"}]
# Posts what is on its input to the webhook's Service, without the API server in between.
POST = """\
import http.client, ssl, sys
trust = ssl._create_unverified_context()
for body in sys.stdin.read().split("\\0"):
    call = http.client.HTTPSConnection(sys.argv[1], context=trust, timeout=10)
    try:
        call.request("POST", "/inject/enforced", body.encode())
        answer = call.getresponse()
        print(answer.status, len(answer.read()))
    except OSError as error:
        print(0, type(error).__name__)
"""

# Connects, says nothing, and keeps count of what is still open.
IDLE = """\
import resource, socket, ssl, sys, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
trust = ssl._create_unverified_context()
held = []
for number in range(int(sys.argv[2])):
    try:
        held.append(trust.wrap_socket(socket.create_connection((sys.argv[1], 443), 5)))
    except OSError:
        time.sleep(0.01)
print("connected", len(held), flush=True)
time.sleep(600)
"""
IDLERS = 3000
IDLING_S = 120.0


def test_a_flood_of_large_dry_runs_holds_no_other_namespace_up(
    node: Node, installed: object
) -> None:
    for name in ("flooding", "paced"):
        open_namespace(node, name, "app", VIEW, INJECTED)
    large = write_pod("large", serviceAccountName="app")
    large["spec"]["containers"][0]["args"] = [LARGE]
    over = threading.Event()

    def flood() -> list[int]:
        statuses = []
        while not over.is_set():
            path = "/api/v1/namespaces/flooding/pods?dryRun=All"
            statuses.append(node.plane.request("POST", path, large, timeout_s=60).status)
        return statuses

    seconds: list[float] = []
    with ThreadPoolExecutor(FLOODERS) as pool:
        floods = [pool.submit(flood) for _ in range(FLOODERS)]
        ending = time.monotonic() + SECONDS
        try:
            while time.monotonic() < ending:
                pod = write_pod(f"p-{len(seconds)}", serviceAccountName="app", schedulingGates=GATE)
                began = time.monotonic()
                made = node.plane.request("POST", "/api/v1/namespaces/paced/pods", pod)
                seconds.append(time.monotonic() - began)
                assert made.status == http.client.CREATED, made.body
                assert list_init_containers(made.json())[:1] == ["mca"]
                time.sleep(0.1)
        finally:
            over.set()
    statuses = [status for each in floods for status in each.result()]
    print(f"{len(statuses)} large pods, {len(seconds)} paced, the slowest in {max(seconds):.2f} s")
    assert len(statuses) > FLOODERS
    assert max(seconds) < LONGEST_S


def test_who_posts_reviews_himself_gets_nothing_for_it(node: Node, installed: object) -> None:
    """An answer is not an object: the webhook keeps and changes nothing. What is too long ends."""
    open_namespace(node, "posting", "app", VIEW)
    create(node, "posting", write_pod("app", serviceAccountName="app"))
    node.wait_for_pod("posting", "app")
    service = node.plane.request("GET", f"{SYSTEM}/services/mca-webhook").json()
    forged = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "forged", "operation": "CREATE", "namespace": "kube-system",
        "object": write_pod("forged"),
    }}  # fmt: skip
    bodies = [json.dumps(forged), "{", "x" * (4 << 20)]
    run = ("exec", "-i", "-n", "posting", "app", "-c", "app", "--", "python3", "-c", POST)
    address = service["spec"]["clusterIP"]
    done = node.plane.kubectl(*run, address, input="\0".join(bodies)).stdout.splitlines()
    codes = [int(line.split()[0]) for line in done]
    assert codes[0] in (200, 400), done
    assert codes[1] in (200, 400), done
    assert codes[2] in (0, 413), done
    pods = node.plane.request("GET", "/api/v1/namespaces/kube-system/pods").json()["items"]
    assert [pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"] == "forged"] == []


def test_idle_connections_of_a_pod_end_no_replica(node: Node, installed: object) -> None:
    """Each costs memory, of which a replica has 512 Mi: pods are created meanwhile and after."""
    open_namespace(node, "idling", "app", VIEW)
    node.plane.create_service_account("idling-outside", "default")
    service = node.plane.request("GET", f"{SYSTEM}/services/mca-webhook").json()
    pod = write_pod("idler", automountServiceAccountToken=False)
    idle = ["python3", "-c", IDLE, service["spec"]["clusterIP"], str(IDLERS)]
    pod["spec"]["containers"][0]["command"] = idle
    node.plane.create("/api/v1/namespaces/idling-outside/pods", pod)
    node.wait_for_pod("idling-outside", "idler")
    log = ("logs", "-n", "idling-outside", "idler")
    before = count_restarts(node)
    deadline = time.monotonic() + IDLING_S
    number = 0
    while "connected" not in (told := node.plane.kubectl(*log).stdout):
        assert time.monotonic() < deadline, told
        number += 1
        create(
            node, "idling", write_pod(f"p-{number}", serviceAccountName="app", schedulingGates=GATE)
        )
        time.sleep(0.5)
    create(node, "idling", write_pod("last", serviceAccountName="app", schedulingGates=GATE))
    print(told.strip(), f"; {number} pods were created meanwhile")
    node.plane.kubectl("delete", "pod", "-n", "idling-outside", "idler", "--now")
    assert count_restarts(node) == before


def count_restarts(node: Node) -> dict[str, int]:
    """Of each replica."""
    replicas = node.plane.request("GET", f"{SYSTEM}/pods").json()["items"]
    return {
        each["metadata"]["name"]: each["status"]["containerStatuses"][0]["restartCount"]
        for each in replicas
    }
