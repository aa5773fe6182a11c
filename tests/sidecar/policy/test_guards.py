import json

import pytest

from sidecar.policy.guards import judge_identity
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import REASON_CODES, Body, Denial, NeedBody

CLOSED = frozenset({"kubernetes.default.svc"})
NAMESPACE = "/api/v1/namespaces/team-a"
CSR = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
POD_CERTIFICATES = "/apis/certificates.k8s.io/v1beta1/namespaces/team-a/podcertificaterequests"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"


def judge(
    method: str,
    raw: str,
    body: object = None,
    content_type: str = "application/json",
    closed: frozenset[str] | None = CLOSED,
) -> tuple[int, str] | str:
    target = parse_target(raw.encode())
    assert isinstance(target, Target)
    info = request_info(method, target)
    assert isinstance(info, RequestInfo)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    verdict = judge_identity(info, closed, None if body is None else Body(content_type, content))
    if verdict is None:
        return "passes"
    if isinstance(verdict, NeedBody):
        return "needs body"
    assert isinstance(verdict, Denial)
    # For people: what, and what to do instead.
    assert verdict.message.isprintable()
    assert ": " in verdict.message or verdict.rule == "guard/token-request"
    return REASON_CODES[verdict.reason], verdict.rule


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("GET", "/healthz"),
        ("GET", "/api/v1/pods"),
        ("POST", f"{NAMESPACE}/pods"),
        ("GET", f"{NAMESPACE}/secrets/x"),
        ("GET", f"{NAMESPACE}/secrets?watch=1"),
        ("DELETE", f"{NAMESPACE}/secrets"),
        ("DELETE", f"{NAMESPACE}/secrets/x"),
        ("GET", CSR),
        ("PUT", f"{CSR}/x/approval"),
        ("GET", f"{NAMESPACE}/pods/p/ephemeralcontainers"),
        ("GET", f"{NAMESPACE}/pods/p/log?container=mca"),
        ("GET", f"{NAMESPACE}/pods/p/log?container=app&insecureSkipTLSVerifyBackend=false"),
        ("POST", f"{NAMESPACE}/pods/p/exec?container=app&command=sh"),
        ("GET", f"{NAMESPACE}/pods/p/exec?command=sh"),
        ("POST", f"{NAMESPACE}/pods/p/attach?container="),
        ("POST", f"{NAMESPACE}/pods/p/exec?container=mcaster"),
        ("POST", f"{NAMESPACE}/pods/p/portforward"),
        ("POST", "/apis/example.com/v1/namespaces/team-a/secrets"),
        ("GET", "/apis/example.com/v1/namespaces/team-a/pods/p/proxy"),
        ("GET", "/api/v1/nodes/proxy"),
    ],
)
def test_what_no_guard_minds(method: str, raw: str) -> None:
    assert judge(method, raw) == "passes"


@pytest.mark.parametrize(
    ("method", "raw", "code", "rule"),
    [
        ("GET", "/api/v1/nodes/n/proxy/metrics", 403, "guard/proxy"),
        ("POST", f"{NAMESPACE}/pods/p:8080/proxy", 403, "guard/proxy"),
        ("GET", f"{NAMESPACE}/services/https:s:443/proxy/x", 403, "guard/proxy"),
        ("GET", "/api/v1/proxy/nodes/n/x", 403, "guard/proxy"),
        ("GET", "/apis/apps/v1/proxy/namespaces/team-a/deployments/d", 403, "guard/proxy"),
        ("GET", f"{NAMESPACE}/pods/p/exec?container=mca", 403, "guard/sidecar-container"),
        ("POST", f"{NAMESPACE}/pods/p/exec?container=mca-x", 403, "guard/sidecar-container"),
        ("POST", f"{NAMESPACE}/pods/p/attach?container=mca", 403, "guard/sidecar-container"),
        ("POST", f"{NAMESPACE}/pods/p/exec/?container=mca", 403, "guard/sidecar-container"),
        ("POST", "/api/v1/pods/p/exec?container=mca", 403, "guard/sidecar-container"),
        ("GET", f"{NAMESPACE}/pods/p/log?container=..%2Fx", 400, "guard/container-name"),
        ("GET", f"{NAMESPACE}/pods/p/log?container=MCA", 400, "guard/container-name"),
        ("POST", f"{NAMESPACE}/pods/p/exec?container=mca%0A", 400, "guard/container-name"),
        ("POST", f"{NAMESPACE}/pods/p/exec?container=%20mca", 400, "guard/container-name"),
        ("GET", f"{NAMESPACE}/pods/p/portforward?container=-", 400, "guard/container-name"),
        (
            "GET",
            f"{NAMESPACE}/pods/p/log?insecureSkipTLSVerifyBackend=true",
            403,
            "guard/insecure-backend",
        ),
        ("GET", f"{NAMESPACE}/serviceaccounts/x/token", 405, "guard/token-request"),
        ("PUT", f"{NAMESPACE}/serviceaccounts/x/token", 405, "guard/token-request"),
    ],
)
def test_what_the_head_alone_forbids(method: str, raw: str, code: int, rule: str) -> None:
    assert judge(method, raw) == (code, rule)


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("POST", f"{NAMESPACE}/serviceaccounts/x/token"),
        ("POST", f"{NAMESPACE}/serviceaccounts/x/token/?dryRun=All"),
        ("POST", "/api/v1/serviceaccounts/x/token"),
        ("POST", f"{NAMESPACE}/secrets"),
        ("POST", f"{NAMESPACE}/secrets/?dryRun=All"),
        ("PUT", f"{NAMESPACE}/secrets/x"),
        ("PATCH", f"{NAMESPACE}/secrets/x"),
        ("POST", CSR),
        ("PATCH", f"{CSR}/x"),
        ("POST", POD_CERTIFICATES),
        ("PUT", f"{NAMESPACE}/pods/p/ephemeralcontainers"),
        ("PATCH", f"{NAMESPACE}/pods/p/ephemeralcontainers"),
    ],
)
def test_what_hangs_on_the_body(method: str, raw: str) -> None:
    assert judge(method, raw) == "needs body"
    # Another format is refused everywhere, and a client falls back to one of ours.
    answer = judge(method, raw, b"\xd9\xd9\xf7", "application/cbor")
    assert answer[0] == 415


def test_no_token_while_the_closed_audiences_are_unknown() -> None:
    raw = f"{NAMESPACE}/serviceaccounts/x/token"
    assert judge("POST", raw, closed=None) == (403, "guard/token-request")


@pytest.mark.parametrize(
    ("audiences", "expected"),
    [
        (["vault"], "passes"),
        ([], (403, "guard/token-request")),
        (["https://kubernetes.default.svc"], (403, "guard/token-request")),
    ],
)
def test_token_requests(audiences: list[str], expected: object) -> None:
    body = {"spec": {"audiences": audiences}}
    assert judge("POST", f"{NAMESPACE}/serviceaccounts/x/token", body) == expected


NO_SECRET = (403, "guard/token-secret")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "Opaque", "data": {"a": "YQ=="}}, "passes"),
        ({"type": "kubernetes.io/tls"}, "passes"),
        ({"type": "kubernetes.io/service-account-token"}, NO_SECRET),
        ({"type": "bootstrap.kubernetes.io/token"}, NO_SECRET),
        (
            {"metadata": {"annotations": {"kubernetes.io/service-account.name": "x"}}},
            NO_SECRET,
        ),
        ({"stringData": {"note": "about kubernetes.io/service-account-token"}}, "passes"),
        (b'{"type": "\\', (400, "guard/token-secret")),
        (b"\\" + b'""' * 200_001, (413, "guard/token-secret")),
        (b'{"type": "\\x"}', (400, "guard/token-secret")),
    ],
)
def test_secrets(body: object, expected: object) -> None:
    assert judge("POST", f"{NAMESPACE}/secrets", body) == expected
    assert judge("PUT", f"{NAMESPACE}/secrets/x", body) == expected
    merge = "application/merge-patch+json"
    assert judge("PATCH", f"{NAMESPACE}/secrets/x", body, merge) == expected


def test_secrets_by_apply_and_json_patch() -> None:
    path = f"{NAMESPACE}/secrets/x"
    assert judge("PATCH", path, b"type: Opaque\n", APPLY) == "passes"
    bad = b"type: kubernetes.io/service-account-token\n"
    assert judge("PATCH", path, bad, APPLY) == (415, "guard/token-secret")
    pointer = "/metadata/annotations/kubernetes.io~1service-account.name"
    patch = [{"op": "add", "path": pointer, "value": "x"}]
    assert judge("PATCH", path, patch, JSON_PATCH) == NO_SECRET
    move = [{"op": "move", "from": "/metadata/annotations/a", "path": pointer}]
    assert judge("PATCH", path, move, JSON_PATCH) == NO_SECRET


@pytest.mark.parametrize("path", [CSR, POD_CERTIFICATES])
@pytest.mark.parametrize(
    ("signer", "refused"),
    [
        ("example.com/signer", False),
        ("kubernetes.io/kubelet-serving", False),
        ("kubernetes.io/kube-apiserver-client", True),
        ("kubernetes.io/kube-apiserver-client-kubelet", True),
        ("kubernetes.io/kube-apiserver-client-pod", True),
        ("kubernetes.io/legacy-unknown", True),
        ("not kubernetes.io/legacy-unknown", False),
    ],
)
def test_certificate_requests(path: str, signer: str, refused: bool) -> None:
    expected = (403, "guard/certificate-request") if refused else "passes"
    assert judge("POST", path, {"spec": {"signerName": signer}}) == expected


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (
            {"spec": {"ephemeralContainers": [{"name": "d", "targetContainerName": "app"}]}},
            "application/strategic-merge-patch+json",
            "passes",
        ),
        (
            {"spec": {"ephemeralContainers": [{"name": "d", "targetContainerName": "mca"}]}},
            "application/strategic-merge-patch+json",
            (403, "guard/ephemeral-container"),
        ),
        ([{"op": "copy"}], JSON_PATCH, (403, "guard/ephemeral-container")),
        (b"spec: {x: mca}", APPLY, (415, "guard/ephemeral-container")),
        (b"{", "application/merge-patch+json", (400, "guard/ephemeral-container")),
    ],
)
def test_ephemeral_containers(body: object, content_type: str, expected: object) -> None:
    path = f"{NAMESPACE}/pods/p/ephemeralcontainers"
    assert judge("PATCH", path, body, content_type) == expected


def test_messages_hold_nothing_of_a_body() -> None:
    for raw, body in (
        (f"{NAMESPACE}/secrets", b'{"type":"kubernetes.io/service-account-token","x":"hunter2"}'),
        (f"{NAMESPACE}/secrets", b'{"hunter2":"\\'),
        (f"{NAMESPACE}/serviceaccounts/x/token", b'{"spec":{"token":"hunter2"}}'),
        (CSR, b'{"a":"hunter2","b":"kubernetes.io/legacy-unknown"}'),
    ):
        target = parse_target(raw.encode())
        assert isinstance(target, Target)
        info = request_info("POST", target)
        assert isinstance(info, RequestInfo)
        verdict = judge_identity(info, CLOSED, Body("application/json", body))
        assert isinstance(verdict, Denial)
        assert "hunter2" not in verdict.message
