"""The broker on two real clusters: who gets a credential, and everybody who does not."""

import base64
import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.controller.broker_scene import AUDIENCE, BrokerScene, enforced
from tests.controller.scene import ControllerProcess, Home, poll, tenant_of
from tests.controlplane import ControlPlane

A, B = "broker-a", "broker-b"
TENANT_A = "/apis/mca.io/v1alpha1/tenants/broker-tenant-a"
STATIC = "static-token-that-nobody-may-see"


@pytest.fixture(scope="module")
def scene(home: Home, west: ControlPlane, controller: ControllerProcess) -> BrokerScene:
    scene = BrokerScene(home, west, controller)
    scene.add_cluster("west", {"token": scene.minter})
    scene.add_cluster("east", {"token": STATIC}, tenant="broker-tenant-a")
    scene.add_tenant("broker-tenant-a", "west", "east", namespace=A)
    scene.add_tenant("broker-tenant-b", "west", "east", namespace=B)
    scene.list_account(A, "app", "broker-tenant-a")
    scene.list_account(B, "app", "broker-tenant-b")
    return scene


@pytest.fixture
def merge(scene: BrokerScene) -> Callable[[str, object], None]:
    """Change an object of home as an admin."""
    headers = {"Content-Type": "application/merge-patch+json"}

    def patch(path: str, body: object) -> None:
        answer = scene.plane.request("PATCH", path, json.dumps(body).encode(), headers=headers)
        assert answer.status == 200, answer.body

    return patch


@pytest.fixture(scope="module")
def token(scene: BrokerScene) -> str:
    return scene.pod_token(A, "web-0")


def rule_of(answer: tuple[int, dict[str, Any]]) -> str:
    """Which rule refused it."""
    code, document = answer
    assert code == document.get("code"), answer
    return str(document["message"]).removeprefix("mca broker/").partition(":")[0]


def test_a_sidecar_gets_a_token_of_its_account_on_the_member(
    scene: BrokerScene, token: str
) -> None:
    code, document = scene.ask(token)
    assert code == 200, (document, scene.controller.log()[-1000:])
    assert document["cluster"] == "west"
    assert document["server"] == scene.west.url
    assert document["ca"] == hashlib.sha256(scene.west.ca_pem.encode()).hexdigest()
    assert 3500 < document["secondsLeft"] <= 3600
    ends = time.mktime(time.strptime(document["notAfter"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert ends == pytest.approx(time.time() + document["secondsLeft"], abs=5)
    assert scene.who_is(document["token"]) == f"system:serviceaccount:{A}:app"
    # It is the member's own, good for nothing at home.
    assert scene.plane.request("GET", "/api", token=document["token"]).status == 401


def test_what_stands_in_a_secret_is_handed_to_its_tenant_alone(
    scene: BrokerScene, token: str
) -> None:
    code, document = scene.ask(token, "east")
    assert (code, document.get("token")) == (200, STATIC)
    assert 3590 < document["secondsLeft"] <= 3600
    other = scene.pod_token(B, "web-0")
    answer = scene.ask(other, "east")
    assert rule_of(answer) == "secret"
    assert STATIC not in json.dumps(answer)


def forge(token: str) -> dict[str, str]:
    """Ways to make another token of one."""
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["kubernetes.io"]["pod"]["name"] = "web-1"

    def encode(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    return {
        "another pod": f"{head}.{encode(claims)}.{signature}",
        "no signature": f"{encode({'alg': 'none'})}.{payload}.AAAA",
        "half a signature": token[:-40],
        "expired": f"{head}.{encode({**claims, 'exp': 1, 'iat': 0})}.{signature}",
    }


def test_a_token_that_is_none_opens_nothing(scene: BrokerScene, token: str) -> None:
    assert rule_of(scene.ask("")) == "no-token"
    assert rule_of(scene.call("/v1/credentials/west", None)) == "no-token"
    assert rule_of(scene.ask("opaque")) == "no-token"
    for what, forged in forge(token).items():
        answer = scene.ask(forged)
        assert (answer[0], rule_of(answer)) == (401, "token"), what


def test_a_token_for_something_else_opens_nothing(scene: BrokerScene) -> None:
    uid = scene.add_pod(A, "audiences")
    home = "https://kubernetes.default.svc.cluster.local"
    for audiences in ((), (home,), ("vault",), (AUDIENCE, home), (AUDIENCE, "vault")):
        answer = scene.ask(scene.token(A, "audiences", uid=uid, audiences=audiences))
        assert (answer[0], rule_of(answer)) == (401, "token"), audiences
    # Not of a pod, or for longer than the kubelet's.
    assert rule_of(scene.ask(scene.token(A))) == "token"
    assert rule_of(scene.ask(scene.token(A, "audiences", uid=uid, seconds=7200))) == "token"
    assert scene.ask(scene.token(A, "audiences", uid=uid))[0] == 200


def test_a_token_of_a_pod_that_is_gone_opens_nothing_at_once(scene: BrokerScene) -> None:
    token = scene.pod_token(A, "gone")
    assert scene.ask(token)[0] == 200  # the API server's word on it is remembered
    scene.delete_pod(A, "gone")
    assert rule_of(scene.ask(token)) == "pod"
    scene.add_pod(A, "gone")  # of the same name
    assert rule_of(scene.ask(token)) == "pod"


def test_a_pod_that_is_not_as_injection_makes_it_gets_nothing(scene: BrokerScene) -> None:
    assert rule_of(scene.ask(scene.pod_token(A, "bare", injected=False))) == "not-injected"
    token = scene.pod_token(A, "changed")
    assert scene.ask(token)[0] == 200
    path = f"/api/v1/namespaces/{A}/pods/changed"
    evil = f"registry.example.com/evil@sha256:{'6' * 64}"
    pod = scene.read(path)
    pod["spec"]["initContainers"][0]["image"] = evil  # kubectl set image pod/changed mca=…
    assert scene.plane.request("PUT", path, pod).status == 200
    assert rule_of(scene.ask(token)) == "not-injected"


def test_elsewhere_than_behind_a_boundary_nothing_is_handed_out(scene: BrokerScene) -> None:
    scene.home.apply(enforced("broker-free"))
    nobody = scene.pod_token("broker-free", "web-0")
    assert rule_of(scene.ask(nobody)) == "tenant"
    open_ = enforced("broker-open", tenant="broker-tenant-open")
    del open_["metadata"]["labels"]["mca.io/boundary"]
    spec = {"clusters": ["west"], "boundary": "none"}
    scene.home.apply(tenant_of("broker-tenant-open", "broker-open", **spec), open_)
    assert rule_of(scene.ask(scene.pod_token("broker-open", "web-0"))) == "boundary"


def test_a_cluster_that_is_not_the_tenants_is_not_even_there(
    scene: BrokerScene, token: str
) -> None:
    scene.add_cluster("other", {"token": scene.minter})
    known, unknown = scene.ask(token, "other"), scene.ask(token, "nowhere")
    assert (rule_of(known), rule_of(unknown)) == ("cluster", "cluster")
    assert known[1]["message"].replace("other", "nowhere") == unknown[1]["message"]
    for name in ("home", "..", "a%2fb", "west/more", "West", "a" * 300):
        assert scene.ask(token, name)[0] in (403, 404), name


def test_only_accounts_that_the_member_lists_get_tokens(scene: BrokerScene) -> None:
    scene.list_account(A, "theirs", "broker-tenant-b")
    scene.list_account(A, "elsewhere", "broker-tenant-a", home="another-home")
    scene.west.create_service_account(A, "plain")
    for account in ("theirs", "elsewhere", "plain", "missing"):
        answer = scene.ask(scene.pod_token(A, f"as-{account}", account))
        # Of one that it does not list, the member does not even tell that it is there.
        assert rule_of(answer) in ("account", "member"), account
        assert "token" not in answer[1]
    assert scene.who_is(scene.ask(scene.pod_token(A, "as-app"))[1]["token"]).endswith(":app")


def test_what_is_revoked_is_refused_within_a_moment(
    scene: BrokerScene, token: str, merge: Callable[[str, object], None]
) -> None:
    assert scene.ask(token)[0] == 200
    merge(TENANT_A, {"spec": {"clusters": ["east"]}})
    poll(lambda: scene.ask(token)[0] == 403)
    merge(TENANT_A, {"spec": {"clusters": ["west", "east"]}})
    poll(lambda: scene.ask(token)[0] == 200)


def test_a_secret_that_would_run_something_is_not_used(scene: BrokerScene, token: str) -> None:
    bad = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": scene.west.url}}],
        "users": [{"name": "u", "user": {"exec": {"command": "sh", "args": [STATIC]}}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    scene.write_secret("east", {"kubeconfig": json.dumps(bad)}, "broker-tenant-a")
    poll(lambda: scene.ask(token, "east")[0] != 200)
    answer = scene.ask(token, "east")
    assert answer[0] in (403, 503)
    assert STATIC not in json.dumps(answer)
    good = bad | {"users": [{"name": "u", "user": {"token": STATIC}}]}
    for owner, code in (("broker-tenant-b", 403), ("broker-tenant-a", 200)):
        scene.write_secret("east", {"kubeconfig": json.dumps(good)}, owner)
        poll(lambda code=code: scene.ask(token, "east")[0] == code)  # type: ignore[misc]


def test_a_tenants_admin_reads_no_credential_through_the_api(scene: BrokerScene) -> None:
    scene.plane.create_service_account(A, "boss")
    binding = {
        "metadata": {"name": "boss"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                    "name": "system:aggregate-to-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": A, "name": "boss"}],
    }  # fmt: skip
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{A}/rolebindings"
    scene.plane.create(base, binding)
    boss = scene.plane.token(A, "boss")
    for path in (
        "/api/v1/namespaces/mca-system/secrets",
        "/api/v1/namespaces/mca-system/secrets/mca-cluster-east",
        "/apis/mca.io/v1alpha1/clusters/east",
        "/api/v1/namespaces/mca-system/configmaps",
    ):
        assert scene.plane.request("GET", path, token=boss).status == 403, path
    policy = json.dumps(scene.home.policy(A))
    assert STATIC not in policy
    assert scene.minter not in policy


def test_a_flood_of_bad_tokens_costs_who_sends_it(scene: BrokerScene, token: str) -> None:
    assert scene.ask(token)[0] == 200
    bad = [f"{token[:-24]}{number:024d}" for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda each: scene.ask(each, source="127.0.0.2")[0], bad))
    assert set(codes) == {401, 429}
    assert codes.count(401) >= 100
    fresh = scene.pod_token(A, "beside-a-flood")
    assert scene.ask(fresh)[0] == 200  # of another address
    assert scene.ask(token, source="127.0.0.2")[0] == 200  # and who is known is known


def test_a_body_that_does_not_come_holds_up_nobody(scene: BrokerScene, token: str) -> None:
    head = (
        f"POST /v1/reports HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 500\r\n\r\n{"
    )
    slow = [scene.connect() for _ in range(70)]
    for each in slow:
        each.sendall(head.encode())
    began = time.monotonic()
    assert scene.ask(token)[0] == 200
    assert time.monotonic() - began < 3
    answer = slow[0].recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 20
    for each in slow:
        each.close()
    assert rule_of(scene.call("/v1/reports", token, b" " * 2000)) == "too-large"


def test_whoever_calls_something_else_learns_nothing(scene: BrokerScene, token: str) -> None:
    for path in ("/v1", "/v1/", "/v1/credentials", "/v1/credentials/west/token", "/v1/secrets"):
        assert scene.call(path, token)[0] == 404, path
        assert scene.call(path, None)[0] == 401, path
    assert scene.call("/v1/credentials/west", token, method="GET")[0] == 404


def test_while_home_hangs_probes_are_answered(scene: BrokerScene, token: str) -> None:
    pid = scene.plane.pids["kube-apiserver"]
    fresh = scene.pod_token(A, "while-home-hangs")
    os.kill(pid, signal.SIGSTOP)
    try:
        answers: list[int] = []
        asking = [
            threading.Thread(target=lambda: answers.append(scene.ask(fresh)[0])) for _ in range(40)
        ]
        for thread in asking:
            thread.start()
        time.sleep(0.3)
        began = time.monotonic()
        assert scene.controller.ask("/livez")[0] == 200
        assert scene.ask("opaque")[0] == 401
        assert time.monotonic() - began < 3  # a read at home takes ten, then
    finally:
        os.kill(pid, signal.SIGCONT)
    for thread in asking:
        thread.join()
    assert answers == [200] * 40


def test_the_same_token_is_judged_once(scene: BrokerScene) -> None:
    token = scene.pod_token(A, "often")
    name = "apiserver_request_total"
    reviews = 'resource="tokenreviews"'

    def count() -> float:
        text = scene.plane.request("GET", "/metrics").body.decode()
        lines = [line for line in text.splitlines() if line.startswith(name) and reviews in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    before = count()
    for _ in range(20):
        assert scene.ask(token)[0] == 200
    assert count() - before <= 1


def test_nothing_of_all_this_is_in_the_log(scene: BrokerScene, token: str) -> None:
    log = scene.controller.log()
    issued = [line for line in log.splitlines() if "credential_issued" in line]
    assert issued
    assert "broker_refused" in log
    handed = scene.ask(token)[1]["token"]
    for secret in (token, handed, scene.minter, STATIC, handed.split(".")[2]):
        assert secret not in log
