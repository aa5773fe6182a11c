"""Attacks 29, 58, 59 and 61: real credentials won through the API, on a real API server.

The sidecar's own account may do everything, so each call that fails is stopped by a guard; the
direct call beside it shows that the attack is one.
"""

import base64
import gzip
import json
from collections.abc import Callable, Mapping

import pytest

from tests.attacks.conftest import assert_status
from tests.controlplane import ControlPlane
from tests.raw_client import RawClient, Response, render_request
from tests.sidecar_process import SidecarProcess, cluster_of

NAMESPACE = "attack-identity"
TOKEN_PATH = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default/token"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
ISSUER = "https://kubernetes.default.svc.cluster.local"
TOKEN_TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
PROTOBUF = "application/vnd.kubernetes.protobuf"
APPLY = "application/apply-patch+yaml"
CSR_PEM = b"""-----BEGIN CERTIFICATE REQUEST-----
placeholder
-----END CERTIFICATE REQUEST-----
"""


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    control_plane.create_service_account(NAMESPACE, "default")
    return control_plane


def field(number: int, content: bytes | str) -> bytes:
    """A length-delimited protobuf field."""
    data = content.encode() if isinstance(content, str) else content
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def envelope(api_version: str, kind: str, message: bytes) -> bytes:
    """runtime.Unknown behind its magic, as every protobuf body is sent."""
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, message)


def token_request_protobuf(*audiences: str) -> bytes:
    spec = b"".join(field(1, audience) for audience in audiences)
    return envelope("authentication.k8s.io/v1", "TokenRequest", field(2, spec))


def secret_protobuf(name: str, secret_type: str, annotations: dict[str, str]) -> bytes:
    metadata = field(1, name)
    for key, value in annotations.items():
        metadata += field(12, field(1, key) + field(2, value))
    return envelope("v1", "Secret", field(1, metadata) + field(3, secret_type))


def send(
    sidecar: SidecarProcess,
    method: str,
    target: str,
    body: bytes,
    content_type: str = "application/json",
    *lines: str,
) -> Response:
    framing = f"Content-Length: {len(body)}"
    request = render_request(
        sidecar, method, target, f"Content-Type: {content_type}", framing, *lines, body=body
    )
    with RawClient(sidecar) as client:
        return client.ask(request)


# Token requests


def token_request(*audiences: str) -> bytes:
    return json.dumps({"spec": {"audiences": list(audiences)}}).encode()


REFUSED_TOKEN_REQUESTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "application/json"),
    "nothing": (b"{}", "application/json"),
    "null-spec": (b'{"spec":null}', "application/json"),
    "no-audience": (b'{"spec":{}}', "application/json"),
    "null-audiences": (b'{"spec":{"audiences":null}}', "application/json"),
    "empty-list": (token_request(), "application/json"),
    "empty-audience": (token_request(""), "application/json"),
    "issuer": (token_request(ISSUER), "application/json"),
    "issuer-slash": (token_request(f"{ISSUER}/"), "application/json"),
    "issuer-upper": (token_request(ISSUER.upper()), "application/json"),
    "issuer-port": (token_request(f"{ISSUER}:443"), "application/json"),
    "issuer-second": (token_request("vault", ISSUER), "application/json"),
    "short-name": (token_request("kubernetes"), "application/json"),
    "service-name": (token_request("kubernetes.default.svc"), "application/json"),
    "service-url": (token_request("https://kubernetes.default.svc"), "application/json"),
    "other-domain": (token_request("kubernetes.default.svc.x.example"), "application/json"),
    "api": (token_request("api"), "application/json"),
    "ours": (token_request("mca.io/cluster/1"), "application/json"),
    "broker": (token_request("mca-broker"), "application/json"),
    "key-twice": (b'{"spec":{"audiences":["v"]},"spec":{"audiences":[]}}', "application/json"),
    "key-case": (b'{"spec":{"audiences":["v"],"Audiences":[]}}', "application/json"),
    "spec-case": (b'{"Spec":{"audiences":["v"]}}', "application/json"),
    "not-a-list": (b'{"spec":{"audiences":"v"}}', "application/json"),
    "not-json": (b"spec: [", "application/json"),
    "trailing": (b'{"spec":{"audiences":["v"]}}{}', "application/json"),
    "yaml": (b"spec:\n  audiences: []\n", "application/yaml"),
    "yaml-merge": (b'{"<<": {"spec": {}}, "spec": {"audiences": ["v"]}}', "application/yaml"),
    "protobuf-no-audience": (token_request_protobuf(), PROTOBUF),
    "protobuf-issuer": (token_request_protobuf("v", ISSUER), PROTOBUF),
    "protobuf-broken": (b"k8s\x00\xff", PROTOBUF),
    "protobuf-no-magic": (field(2, field(1, "v")), PROTOBUF),
    "cbor": (b"\xd9\xd9\xf7\xa0", "application/cbor"),
    "unknown-type": (token_request("v"), "text/plain"),
    "no-type-parameter-trick": (token_request(), "application/json;as=Table"),
}


@pytest.mark.parametrize(
    ("body", "content_type"), REFUSED_TOKEN_REQUESTS.values(), ids=REFUSED_TOKEN_REQUESTS.keys()
)
def test_61_a_token_for_the_api_server(
    sidecar: SidecarProcess, plane: ControlPlane, body: bytes, content_type: str
) -> None:
    answer = send(sidecar, "POST", TOKEN_PATH, body, content_type)
    assert answer.status in (400, 403, 415)
    assert_status(answer, answer.status)
    rule = answer.header("Mca-Decision") or ""
    assert rule in ("guard/token-request", "body/media-type")


def test_61_compressed_bodies_are_not_judged(sidecar: SidecarProcess, plane: ControlPlane) -> None:
    body = gzip.compress(token_request("vault"))
    answer = send(sidecar, "POST", TOKEN_PATH, body, "application/json", "Content-Encoding: gzip")
    assert_status(answer, 415, "body/encoding")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "GET", "DELETE"])
def test_29_the_token_subresource_takes_post_only(
    sidecar: SidecarProcess, plane: ControlPlane, method: str
) -> None:
    assert_status(send(sidecar, method, TOKEN_PATH, b"{}"), 405, "guard/token-request")


def test_61_the_direct_call_gives_a_token_that_opens_the_api_server(plane: ControlPlane) -> None:
    answer = plane.request("POST", TOKEN_PATH, {"spec": {}})
    assert answer.status == 201
    token = answer.json()["status"]["token"]
    assert plane.request("GET", "/api", token=token).status == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (token_request("vault.example"), "application/json"),
        (token_request("sts.amazonaws.com", "https://vault.example:8200"), "application/json"),
        (token_request("vault.example"), "application/yaml"),
        (token_request_protobuf("vault.example"), PROTOBUF),
    ],
)
def test_61_a_token_for_somebody_else_is_given(
    sidecar: SidecarProcess, plane: ControlPlane, body: bytes, content_type: str
) -> None:
    """And it does not open the API server."""
    answer = send(sidecar, "POST", TOKEN_PATH, body, content_type, "Accept: application/json")
    assert answer.status == 201, answer.body
    token = json.loads(answer.body)["status"]["token"]
    assert plane.request("GET", "/api", token=token).status == 401


def test_61_kubectl_create_token(sidecar: SidecarProcess, plane: ControlPlane) -> None:
    command = ("create", "token", "default", "--namespace", NAMESPACE)
    done = sidecar.kubectl(*command, check=False)
    assert done.returncode == 1
    assert "a token request that names no audience asks for a token to the" in done.stderr
    token = sidecar.kubectl(*command, "--audience", "vault.example").stdout.strip()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] == ["vault.example"]


def test_61_without_knowing_the_audiences_no_token_is_asked_for(
    make_sidecar: Callable[..., SidecarProcess], plane: ControlPlane
) -> None:
    """A client certificate does not tell which audiences open the API server."""
    sidecar = make_sidecar(cluster_of(plane, certificate=True))
    answer = send(sidecar, "POST", TOKEN_PATH, token_request("vault.example"))
    assert_status(answer, 403, "guard/token-request")
    assert sidecar.request("GET", SECRETS).status == 200


# Secrets that the control plane fills with a token


def secret(name: str, secret_type: str = TOKEN_TYPE, **metadata: object) -> dict[str, object]:
    annotations = {ACCOUNT_NAME: "default"} if secret_type == TOKEN_TYPE else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "annotations": annotations, **metadata},
        "type": secret_type,
    }


def dump(document: object) -> bytes:
    return json.dumps(document).encode()


ESCAPED = dump(secret("escaped")).replace(b"kubernetes.io/s", b"\\u006bubernetes.io\\/s")
YAML = f"metadata:\n  name: x\n  annotations:\n    {ACCOUNT_NAME}: default\ntype: {TOKEN_TYPE}\n"
FOLDED = 'metadata: {name: x}\ntype: "kubernetes.io/service-\\\n  account-token"\n'
BINARY = (
    "metadata: {name: x}\ntype: !!binary " + base64.b64encode(TOKEN_TYPE.encode()).decode() + "\n"
)
PATCHES = "application/json-patch+json", "application/merge-patch+json"
TOKEN_SECRETS: dict[str, tuple[str, str, bytes, str]] = {
    "post": ("POST", SECRETS, dump(secret("plain")), "application/json"),
    "post-no-type": ("POST", SECRETS, dump(secret("plain")), ""),
    "post-parameter": ("POST", SECRETS, dump(secret("p")), "application/json; charset=utf-8"),
    "post-escaped": ("POST", SECRETS, ESCAPED, "application/json"),
    "post-yaml": ("POST", SECRETS, YAML.encode(), "application/yaml"),
    "post-json-as-yaml": ("POST", SECRETS, dump(secret("y")), "application/yaml"),
    "post-yaml-folded": ("POST", SECRETS, FOLDED.encode(), "application/yaml"),
    "post-yaml-binary": ("POST", SECRETS, BINARY.encode(), "application/yaml"),
    "post-type-twice": (
        "POST", SECRETS, dump(secret("t")).replace(b'"type"', b'"type":"Opaque","type"'),
        "application/json",
    ),
    "post-protobuf": ("POST", SECRETS, secret_protobuf("b", TOKEN_TYPE, {}), PROTOBUF),
    "post-protobuf-account": (
        "POST", SECRETS, secret_protobuf("b", "Opaque", {ACCOUNT_NAME: "default"}), PROTOBUF,
    ),
    "post-protobuf-type-twice": (
        "POST", SECRETS, secret_protobuf("b", "Opaque", {}) + field(2, field(3, TOKEN_TYPE)),
        PROTOBUF,
    ),
    "post-cbor": ("POST", SECRETS, b"\xd9\xd9\xf7\xa1", "application/cbor"),
    "post-bootstrap": (
        "POST", "/api/v1/namespaces/kube-system/secrets",
        dump(secret("bootstrap-token-abcdef", "bootstrap.kubernetes.io/token")),
        "application/json",
    ),
    "put": ("PUT", f"{SECRETS}/put", dump(secret("put")), "application/json"),
    "apply": ("PATCH", f"{SECRETS}/a?fieldManager=m", dump(secret("a")), APPLY),
    "apply-yaml": ("PATCH", f"{SECRETS}/x?fieldManager=m", YAML.encode(), APPLY),
    "apply-yaml-folded": ("PATCH", f"{SECRETS}/x?fieldManager=m", FOLDED.encode(), APPLY),
    "merge-patch-type": ("PATCH", f"{SECRETS}/m", dump({"type": TOKEN_TYPE}), PATCHES[1]),
    "merge-patch-account": (
        "PATCH", f"{SECRETS}/m", dump({"metadata": {"annotations": {ACCOUNT_NAME: "default"}}}),
        PATCHES[1],
    ),
    "json-patch-account": (
        "PATCH", f"{SECRETS}/m",
        dump([{"op": "add", "value": "default",
               "path": "/metadata/annotations/kubernetes.io~1service-account.name"}]),
        PATCHES[0],
    ),
    "strategic-patch": (
        "PATCH", f"{SECRETS}/m", dump({"type": TOKEN_TYPE}),
        "application/strategic-merge-patch+json",
    ),
    "patch-type-folded": ("PATCH", f"{SECRETS}/m", dump({"type": TOKEN_TYPE}), PATCHES[1].upper()),
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "target", "body", "content_type"), TOKEN_SECRETS.values(), ids=TOKEN_SECRETS.keys()
)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_61_a_secret_that_is_filled_with_a_token(
    sidecar: SidecarProcess,
    plane: ControlPlane,
    method: str,
    target: str,
    body: bytes,
    content_type: str,
    chunked: bool,
) -> None:
    mark = plane.audit.mark()
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    types = [f"Content-Type: {content_type}"] if content_type else []
    framed = body
    if chunked:
        half = len(body) // 2
        pieces = (body[:half], body[half:], b"")
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    with RawClient(sidecar) as client:
        request = render_request(sidecar, method, target, framing, *types, body=framed)
        answer = client.ask(request)
        assert answer.status in (400, 403, 415)
        assert_status(answer, answer.status)
        # The connection lives on: what follows the body is a call of its own.
        assert client.ask(render_request(sidecar, target="/version")).status == 200
    ident = answer.header("Audit-Id")
    assert ident not in [event["auditID"] for event in plane.audit.since(mark)]


@pytest.mark.parametrize("content_type", ["application/json", ""])
def test_61_yaml_that_says_it_is_json_is_refused_by_the_server(
    sidecar: SidecarProcess, plane: ControlPlane, content_type: str
) -> None:
    """So that the guard need not read it as YAML."""
    lines = [f"Content-Type: {content_type}"] if content_type else []
    request = render_request(
        sidecar, "POST", SECRETS, f"Content-Length: {len(YAML)}", *lines, body=YAML.encode()
    )
    with RawClient(sidecar) as client:
        answer = client.ask(request)
    assert answer.status == 400
    ident = answer.header("Audit-Id") or ""
    assert plane.audit.wait_for([ident])[ident]["responseStatus"]["code"] == 400


def test_61_the_direct_call_makes_such_a_secret(plane: ControlPlane) -> None:
    for body, content_type in (
        (ESCAPED, "application/json"),
        (FOLDED.encode(), "application/yaml"),
    ):
        answer = plane.request(
            "POST", f"{SECRETS}?dryRun=All", body, headers={"Content-Type": content_type}
        )
        # Read as a token Secret: refused or taken for what such a Secret must hold, as one.
        assert TOKEN_TYPE in answer.body.decode() or ACCOUNT_NAME in answer.body.decode()


PASSING: dict[str, tuple[str, str, bytes, str]] = {
    "post": ("POST", SECRETS, dump(secret("opaque", "Opaque")), "application/json"),
    "post-yaml": ("POST", SECRETS, b"metadata: {name: opaque}\n", "application/yaml"),
    "post-protobuf": ("POST", SECRETS, secret_protobuf("opaque", "Opaque", {}), PROTOBUF),
    "post-tls-like": ("POST", SECRETS, dump(secret("opaque", "example.com/own")), ""),
    "apply": ("PATCH", f"{SECRETS}/opaque?fieldManager=m", dump(secret("opaque", "Opaque")), APPLY),
    "apply-yaml": (
        "PATCH", f"{SECRETS}/opaque?fieldManager=m",
        b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: opaque\nstringData:\n  a: 'b: c'\n",
        APPLY,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "target", "body", "content_type"), PASSING.values(), ids=PASSING.keys()
)
def test_61_other_secrets_pass(
    sidecar: SidecarProcess,
    plane: ControlPlane,
    method: str,
    target: str,
    body: bytes,
    content_type: str,
) -> None:
    answer = send(sidecar, method, target, body, content_type, "Accept: application/json")
    assert answer.status == 201, answer.body
    assert plane.request("GET", f"{SECRETS}/opaque").status == 200
    assert sidecar.request("DELETE", f"{SECRETS}/opaque").status == 200


def test_61_kubectl_and_secrets(sidecar: SidecarProcess, plane: ControlPlane) -> None:
    where = ("--namespace", NAMESPACE)
    sidecar.kubectl("create", "secret", "generic", "s", "--from-literal=a=b", *where)
    document = json.dumps(secret("s", "Opaque") | {"stringData": {"a": "c"}})
    sidecar.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", *where, input=document
    )
    got = sidecar.kubectl("get", "secret", "s", "-o", "jsonpath={.data.a}", *where).stdout
    assert base64.b64decode(got) == b"c"
    sidecar.kubectl("delete", "secret", "s", *where)
    for arguments in (("create",), ("apply",), ("apply", "--server-side")):
        done = sidecar.kubectl(
            *arguments, "-f", "-", *where, input=json.dumps(secret("t")), check=False
        )
        assert done.returncode == 1
        assert "is not allowed: use another type" in done.stderr
    assert plane.request("GET", f"{SECRETS}/t").status == 404


# Client certificates


def signing_request(name: str, signer: str) -> dict[str, object]:
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(CSR_PEM).decode(),
            "signerName": signer,
            "usages": ["client auth"],
        },
    }


@pytest.mark.parametrize(
    "signer",
    [
        "kubernetes.io/kube-apiserver-client",
        "kubernetes.io/kube-apiserver-client-kubelet",
        "kubernetes.io/legacy-unknown",
    ],
)
def test_61_a_client_certificate(sidecar: SidecarProcess, plane: ControlPlane, signer: str) -> None:
    body = dump(signing_request("attack", signer))
    answer = send(sidecar, "POST", REQUESTS, body)
    assert_status(answer, 403, "guard/certificate-request")
    kind = "CertificateSigningRequest"
    spec = field(2, field(1, CSR_PEM) + field(7, signer))
    message = envelope("certificates.k8s.io/v1", kind, spec)
    assert_status(send(sidecar, "POST", REQUESTS, message, PROTOBUF), 403)
    assert_status(send(sidecar, "PATCH", f"{REQUESTS}/attack?fieldManager=m", body, APPLY), 403)


def test_61_other_signers_pass(sidecar: SidecarProcess, plane: ControlPlane) -> None:
    """To the server, which has its own opinion of our PEM."""
    body = dump(signing_request("other", "example.com/own"))
    answer = send(sidecar, "POST", REQUESTS, body)
    assert answer.header("Mca-Decision") is None
    assert b"PEM block type must be CERTIFICATE REQUEST" in answer.body


# Into the sidecar's own container


def test_58_ephemeral_containers_that_reach_the_sidecar(
    sidecar: SidecarProcess, plane: ControlPlane
) -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "app", "image": "i"}, {"name": "mca", "image": "i"}]},
    }
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    plane.create(pods, pod)
    target = f"{pods}/p/ephemeralcontainers"
    merge = "application/strategic-merge-patch+json"

    def patch(container: Mapping[str, object]) -> Response:
        body = dump({"spec": {"ephemeralContainers": [{"name": "d", "image": "i", **container}]}})
        return send(sidecar, "PATCH", target, body, merge)

    for reaching in (
        {"targetContainerName": "mca"},
        {"name": "mca-debug"},
        {"volumeMounts": [{"name": "mca-identity", "mountPath": "/x"}]},
    ):
        assert_status(patch(reaching), 403, "guard/ephemeral-container")
    assert patch({"targetContainerName": "app"}).status == 200
    assert plane.request("GET", f"{pods}/p").json()["spec"]["ephemeralContainers"][0]["name"] == "d"


def test_58_kubectl_debug(sidecar: SidecarProcess, plane: ControlPlane) -> None:
    pod = {"metadata": {"name": "q"}, "spec": {"containers": [{"name": "app", "image": "i"}]}}
    plane.create(f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    command = ("debug", "q", "--namespace", NAMESPACE, "--image", "i", "--quiet")
    done = sidecar.kubectl(*command, "--target", "mca", check=False)
    assert done.returncode == 1
    assert "(Forbidden)" in done.stderr
    sidecar.kubectl(*command, "--target", "app")


def test_59_exec_into_the_sidecar_over_kubectl(
    sidecar: SidecarProcess, plane: ControlPlane
) -> None:
    pod = {"metadata": {"name": "r"}, "spec": {"containers": [{"name": "mca", "image": "i"}]}}
    plane.create(f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    command = ("exec", "r", "--namespace", NAMESPACE)
    done = sidecar.kubectl(*command, "-c", "mca", "--", "id", check=False)
    assert done.returncode == 1
    assert "it belongs to MCA: name another container of the pod" in done.stderr
