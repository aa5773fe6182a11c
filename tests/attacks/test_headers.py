"""Attacks 14 to 19, 48 and 51: what headers may claim, and which of them go on."""

import base64
import json

import pytest

from tests.attacks.conftest import Front, assert_status
from tests.controlplane import ControlPlane
from tests.raw_client import RawClient, render_request
from tests.sidecar_process import SidecarProcess

OURS = b"Bearer upstream-token"
EXEC = "/api/v1/namespaces/team-a/pods/a/exec?command=id"
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def sent(front: Front, *lines: str, **options: str) -> list[tuple[bytes, bytes]]:
    """The fields that the upstream got; our token is the only credential among them."""
    arrived = front.forward(front.render("GET", "/api/v1/pods", *lines, **options))
    assert arrived.values(b"Authorization") == [OURS]
    assert front.sidecar.token().encode() not in arrived.head
    return list(arrived.fields)


# 14: Connection names fields


@pytest.mark.parametrize(
    "connection",
    [
        "Authorization, Impersonate-User",
        "authorization",
        "keep-alive, Authorization",
        "Audit-ID",
        "Traceparent",
        "Accept",
        "X-Custom",
    ],
)
def test_14_what_connection_names_is_gone_but_ours(front: Front, connection: str) -> None:
    fields = sent(
        front, f"Connection: {connection}", "Accept: application/json", "X-Custom: 1", "X-Other: 2"
    )
    names = [name.lower() for name, _ in fields]
    for named in connection.lower().split(", "):
        if named.encode() in (b"accept", b"x-custom"):
            assert named.encode() not in names
    for own in (b"authorization", b"audit-id", b"traceparent", b"host"):
        assert names.count(own) == 1
    assert (b"X-Other", b"2") in fields
    assert b"connection" not in names


def test_14_connection_given_twice(front: Front) -> None:
    fields = sent(front, "Connection: X-A", "X-A: 1", "Connection: keep-alive, X-B", "X-B: 1")
    assert not {b"x-a", b"x-b"} & {name.lower() for name, _ in fields}


def test_14_a_dropped_field_stays_dropped_when_the_line_is_known(front: Front) -> None:
    """The line `X-Twice: 1` is remembered as one to keep; a Connection that names it still wins."""
    assert (b"X-Twice", b"1") in sent(front, "X-Twice: 1")
    assert (b"X-Twice", b"1") not in sent(front, "X-Twice: 1", "Connection: X-Twice")
    assert (b"X-Twice", b"1") in sent(front, "X-Twice: 1")


@pytest.mark.parametrize(
    "connection", ["Host", "Content-Length", "Transfer-Encoding", "close, Content-Type"]
)
def test_14_connection_names_what_frames_the_request(front: Front, connection: str) -> None:
    request = front.render(
        "POST",
        "/api/v1/namespaces/team-a/configmaps",
        f"Connection: {connection}",
        "Content-Type: application/json",
        "Content-Length: 2",
        body=b"{}",
    )
    front.refuse(request, 400)


# 15: impersonation


@pytest.mark.parametrize(
    "line",
    [
        "Impersonate-User: system:admin",
        "impersonate-user: a",
        "IMPERSONATE-GROUP: system:masters",
        "Impersonate-Uid: 1",
        "Impersonate-Extra-scopes: x",
        "Impersonate-Anything: x",
        "Impersonate-User:",
    ],
)
def test_15_impersonation_is_forbidden(front: Front, line: str) -> None:
    front.refuse(front.render("GET", "/api/v1/pods", line), 403, "guard/impersonation")


def test_15_impersonation_is_forbidden_even_when_connection_names_it(front: Front) -> None:
    request = front.render(
        "GET", "/api/v1/pods", "Connection: Impersonate-User", "Impersonate-User: system:admin"
    )
    front.refuse(request, 403, "guard/impersonation")


def test_15_kubectl_as_is_told_why(sidecar: SidecarProcess) -> None:
    # --raw, because client-go shows `unknown` for whatever any server refuses discovery with.
    done = sidecar.kubectl("get", "--raw", "/api/v1/pods", "--as", "system:admin", check=False)
    assert done.returncode == 1
    assert "(Forbidden): mca guard/impersonation: impersonation is not available" in done.stderr


# 16: claims of proxies

STRIPPED = (
    "X-Remote-User: system:admin",
    "x-remote-group: system:masters",
    "X-Remote-Extra-Scopes: a",
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Uri: /other",
    "X-Forwarded-Client-Cert: x",
    "Forwarded: for=10.0.0.1",
    "X-Original-URL: /other",
    "X-Rewrite-URL: /other",
    "X-Original-URI: /other",
    "X-HTTP-Method-Override: DELETE",
    "X-HTTP-Method: DELETE",
    "X-Method-Override: DELETE",
    "X-Real-IP: 10.0.0.1",
    "Via: 1.1 a",
    "Audit-ID: mine",
    "Mca-Decision: mine",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "TE: trailers",
    "Trailer: X",
    "HTTP2-Settings: AAA",
    "Cookie: a=b",
    "Proxy-Authorization: Basic YTpi",
)


@pytest.mark.parametrize("line", STRIPPED, ids=lambda line: line.partition(":")[0])
def test_16_claims_of_proxies_are_stripped(front: Front, line: str) -> None:
    name, _, value = line.partition(": ")
    for _ in range(2):  # the second time from the memo
        fields = sent(front, line, "Accept: */*")
        assert (name.encode(), value.encode()) not in fields
        assert not [found for found, _ in fields if found.lower() == name.lower().encode()] or (
            name == "Audit-ID"
        )
        assert (b"Accept", b"*/*") in fields


def test_16_the_real_server_sees_our_service_account_only(
    sidecar: SidecarProcess, control_plane: ControlPlane
) -> None:
    answer = sidecar.request(
        "GET", "/api/v1/namespaces/default", headers={"X-Remote-User": "system:admin"}
    )
    ident = answer.headers["Audit-Id"]
    seen = control_plane.audit.wait_for([ident])[ident]
    assert seen["user"]["username"] == "system:serviceaccount:mca-tests:sidecar"
    assert seen["sourceIPs"] == ["127.0.0.1"]


# 17: names that another parser could read as one of those


@pytest.mark.parametrize(
    "line",
    [
        "X_Remote_User: a",
        "Content_Length: 5",
        "Authorization : Bearer x",
        "X-Remote-User : a",
        "X Remote User: a",
        "X-A\t: 1",
        " X-A: 1",
        ": empty",
        "no colon",
        "X-A\x00: 1",
        "X-A: a\x00b",
        "X-A: a\x7f",
        "X-\xe4: 1",
        "X(A): 1",
        'X"A: 1',
        "X-A: a\x01",
    ],
)
def test_17_odd_field_is_refused(front: Front, line: str) -> None:
    front.refuse(front.render("GET", "/api/v1/pods", line), 400, "http/field")


# 18: credentials


@pytest.mark.parametrize(
    ("lines", "token"),
    [
        (("Authorization: Bearer {token}",), None),
        (("authorization: bearer other",), None),
        (("Authorization: Basic YTpi",), ""),
        (("Authorization: {token}",), ""),
        (("Authorization: Bearer",), ""),
        (("Authorization: Bearer ",), ""),
        (("Authorization:",), ""),
        (("Authorization: Bearer {token} x",), ""),
        (("Authorization: Bearer  {token}",), ""),
        (("Authorization: Bearer {token},Bearer x",), ""),
        (("Authorization: Negotiate {token}",), ""),
        (("Authorization: Bearer x",), ""),
        (("Authorization: Bearer {token}x",), ""),
        ((), ""),
    ],
)
def test_18_credentials_that_are_not_one_token(
    front: Front, lines: tuple[str, ...], token: str | None
) -> None:
    filled = [line.format(token=front.sidecar.token()) for line in lines]
    front.refuse(front.render("GET", "/api/v1/pods", *filled, token=token), 401, "identity/token")


def test_18_the_scheme_may_be_spelled_in_any_case(front: Front) -> None:
    sent(front, f"authorization: bearer {front.sidecar.token()}", token="")


# 19: credentials elsewhere


def bearer_protocol(token: str) -> str:
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return f"base64url.bearer.authorization.k8s.io.{encoded}"


def test_19_a_bearer_in_the_subprotocol_is_a_credential(front: Front) -> None:
    protocols = f"{bearer_protocol(front.sidecar.token())}, v5.channel.k8s.io"
    request = front.render(
        "GET", EXEC, *WEBSOCKET, f"Sec-WebSocket-Protocol: {protocols}", token=""
    )
    arrived = front.forward(request)
    assert arrived.values(b"Sec-WebSocket-Protocol") == [b"v5.channel.k8s.io"]
    assert arrived.values(b"Authorization") == [OURS]
    assert b"base64url" not in arrived.head


def test_19_many_subprotocol_lines_keep_their_order(front: Front) -> None:
    lines = [
        "Sec-WebSocket-Protocol: a.k8s.io",
        f"Sec-WebSocket-Protocol: {bearer_protocol(front.sidecar.token())}",
        "Sec-WebSocket-Protocol: b.k8s.io, c.k8s.io",
    ]
    arrived = front.forward(front.render("GET", EXEC, *WEBSOCKET, *lines, token=""))
    assert arrived.values(b"Sec-WebSocket-Protocol") == [b"a.k8s.io", b"b.k8s.io, c.k8s.io"]


@pytest.mark.parametrize(
    "protocols",
    [
        bearer_protocol("wrong"),
        "base64url.bearer.authorization.k8s.io.",
        "base64url.bearer.authorization.k8s.io.!!!",
        "BASE64URL.BEARER.AUTHORIZATION.K8S.IO.d3Jvbmc",
        "{good}, {good}",
        "v5.channel.k8s.io",
    ],
)
def test_19_a_wrong_bearer_in_the_subprotocol(front: Front, protocols: str) -> None:
    filled = protocols.format(good=bearer_protocol(front.sidecar.token()))
    request = front.render("GET", EXEC, *WEBSOCKET, f"Sec-WebSocket-Protocol: {filled}", token="")
    front.refuse(request, 401, "identity/token")


def test_19_two_credentials_are_one_too_many(front: Front) -> None:
    protocols = f"Sec-WebSocket-Protocol: {bearer_protocol(front.sidecar.token())}"
    front.refuse(front.render("GET", EXEC, *WEBSOCKET, protocols), 401, "identity/token")


@pytest.mark.parametrize("line", ["Cookie: token={token}", "Proxy-Authorization: Bearer {token}"])
def test_19_no_other_header_is_a_credential(front: Front, line: str) -> None:
    filled = line.format(token=front.sidecar.token())
    front.refuse(front.render("GET", "/api/v1/pods", filled, token=""), 401, "identity/token")


def test_19_no_query_is_a_credential(front: Front) -> None:
    target = f"/api/v1/pods?access_token={front.sidecar.token()}"
    front.refuse(front.render("GET", target, token=""), 401, "identity/token")


def test_19_no_credential_is_logged(front: Front) -> None:
    said = "a-secret-that-nobody-may-log"
    target = f"/api/v1/namespaces/team-a/pods/a/exec?command={said}&access_token={said}"
    lines = [f"Cookie: {said}", f"Proxy-Authorization: Basic {said}"]
    with front.connect() as client:
        client.ask(front.render("GET", target, *lines, token=said))
    with front.connect() as client:
        ident = client.ask(front.render("GET", f"/api/v1/pods?x={said}", token=said))
    front.sidecar.wait_for_audit([ident.header("Audit-Id") or ""])
    output = front.sidecar.stdout_path.read_text()
    assert said not in output
    assert front.sidecar.token() not in output
    assert "upstream-token" not in output


# 48: Host


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "kubernetes.default.svc.evil.example",
        "127.0.0.1:1",
        "127.0.0.2",
        "10.0.0.1",
        "localhost:1",
        "kubernetes.default.svc.",
        "[::1]:1",
        "127.0.0.1:443x",
        "2130706433",
        "127.0.0.1:6443,evil.example",
    ],
)
def test_48_a_host_that_is_not_ours(front: Front, host: str) -> None:
    front.refuse(front.render(host=host), 421, "http/host")


@pytest.mark.parametrize("lines", [(), ("Host: 127.0.0.1", "Host: 127.0.0.1")])
def test_48_host_is_given_once(front: Front, lines: tuple[str, ...]) -> None:
    sound = front.render("GET", "/api/v1/pods", *lines)
    own = f"Host: 127.0.0.1:{front.sidecar.port}\r\n".encode()
    front.refuse(sound.replace(own, b"", 1), 400, "http/host")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost:{port}",
        "LOCALHOST:{port}",
        "kubernetes.default.svc",
        "kubernetes.default.svc:443",
        "kubernetes.default.svc:{port}",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc.cluster.local",
        "Kubernetes.Default.svc",
    ],
)
def test_48_our_names_pass_and_the_clusters_own_goes_on(front: Front, host: str) -> None:
    arrived = front.forward(front.render(host=host.format(port=front.sidecar.port)))
    assert arrived.values(b"Host") == [f"127.0.0.1:{front.upstream.port}".encode()]


@pytest.mark.parametrize("name", ["evil.example", "localhost", "kubernetes.default.svc"])
def test_48_sni_decides_nothing(front: Front, name: str) -> None:
    trust = front.sidecar.trust()
    trust.check_hostname = False
    with RawClient(front.sidecar.api, context=trust, server_hostname=name) as client:
        assert client.ask(front.render()).status == 200


# 51: who calls


def test_51_no_token_no_answer(front: Front) -> None:
    answer = front.refuse(front.render(token=""), 401, "identity/token")
    assert "service account folder" in json.loads(answer.body)["message"]


def test_51_the_clusters_own_token_is_none_of_ours(front: Front) -> None:
    front.refuse(front.render(token="upstream-token"), 401, "identity/token")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
def test_51_every_method_needs_a_token(front: Front, method: str) -> None:
    front.mark()
    with front.connect() as client:
        answer = client.ask(front.render(method, "/version", "Content-Length: 0", token=""), "GET")
        assert_status(answer, 401, "identity/token")
    front.assert_nothing_forwarded()


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1",
        "https://127.0.0.1:1",
        "null",
        "file://",
        "https://127.0.0.1:{port}.evil.example",
        "https://evil.example@127.0.0.1:{port}",
        "https://127.0.0.1:{port}/",
        "https://127.0.0.1:{port} https://evil.example",
        "",
    ],
)
def test_51_a_foreign_origin(front: Front, origin: str) -> None:
    filled = origin.format(port=front.sidecar.port)
    front.refuse(front.render("GET", "/api/v1/pods", f"Origin: {filled}"), 403, "http/origin")


def test_51_origin_twice(front: Front) -> None:
    own = f"Origin: https://127.0.0.1:{front.sidecar.port}"
    front.refuse(front.render("GET", "/api/v1/pods", own, own), 403, "http/origin")


def test_51_our_own_origin_is_stripped(front: Front) -> None:
    """The Python client sends one with every exec."""
    fields = sent(front, f"Origin: https://127.0.0.1:{front.sidecar.port}", "Sec-Fetch-Mode: cors")
    assert b"origin" not in [name.lower() for name, _ in fields]


def test_51_the_caller_is_the_container(sidecar: SidecarProcess) -> None:
    idents = {}
    for container in ("app", "other"):
        with RawClient(sidecar) as client:
            answer = client.ask(render_request(sidecar, token=sidecar.token(container)))
            idents[answer.header("Audit-Id") or ""] = container
    for ident, line in sidecar.wait_for_audit(idents).items():
        assert line["caller"] == idents[ident]
