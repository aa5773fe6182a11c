import json

import pytest

from sidecar.policy.audiences import judge_token_request, plain_audience
from sidecar.policy.bodies import Format
from sidecar.policy.verdict import REASON_CODES, Denial

CLOSED = frozenset(
    map(plain_audience, ["https://issuer.example.com", "https://10.96.0.1:443", "api.custom"])
)


def code(denial: Denial | None) -> int | None:
    if denial is None:
        return None
    assert denial.rule == "guard/token-request"
    assert denial.message.isprintable()
    assert len(denial.message) < 300
    return REASON_CODES[denial.reason]


def ask(audiences: list[str], *, form: Format = Format.JSON) -> int | None:
    body = json.dumps({"spec": {"audiences": audiences}})
    return code(judge_token_request(form, body.encode(), CLOSED))


@pytest.mark.parametrize(
    ("audience", "plain"),
    [
        ("vault", "vault"),
        ("  Vault ", "vault"),
        ("https://kubernetes.default.svc", "kubernetes.default.svc"),
        ("HTTPS://Kubernetes.Default.svc:443/", "kubernetes.default.svc"),
        ("http://kubernetes.default.svc.:443", "kubernetes.default.svc"),
        ("https://kubernetes.default.svc.", "kubernetes.default.svc"),
        ("https://oidc.example.com/id/AB//", "oidc.example.com/id/ab"),
        ("https://10.96.0.1:6443", "10.96.0.1:6443"),
        ("", ""),
    ],
)
def test_spellings_of_one_server_become_equal(audience: str, plain: str) -> None:
    assert plain_audience(audience) == plain


@pytest.mark.parametrize(
    "audience",
    [
        "vault",
        "sts.amazonaws.com",
        "https://oidc.example.com/x",
        "//iam.googleapis.com/projects/1/locations/global",
        "system:konnectivity-server",
        "mcaster",
        "amca",
        "kubernetes.example.com",
        "kubernetes-dashboard",
    ],
)
def test_an_audience_of_somebody_else_passes(audience: str) -> None:
    assert ask([audience]) is None
    assert ask([audience, "vault"], form=Format.YAML) is None


@pytest.mark.parametrize(
    "audience",
    [
        "https://issuer.example.com",
        "issuer.example.com",
        "https://ISSUER.example.com/",
        "https://10.96.0.1",
        "10.96.0.1:443",
        "api.custom",
        "api",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "https://kubernetes.default.svc",
        "https://kubernetes.default.svc:6443/x",
        "https://kubernetes.default.svc.cluster.local",
        "kubernetes.default.svc.corp.example",
        "mca",
        "MCA",
        "mca-broker",
        "mca.io/cluster/123",
        "https://mca.io/x",
        "broker.mca.io",
        "mca:x",
        "mca/x",
        "",
        " ",
        "/",
        "vault\x00",
        "vault\u200b",
    ],
)
def test_an_audience_that_opens_something_of_ours_is_refused(audience: str) -> None:
    assert ask([audience]) == 403
    assert ask(["vault", audience]) == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"spec": None},
        {"spec": {}},
        {"spec": {"audiences": None}},
        {"spec": {"audiences": []}},
        {"kind": "TokenRequest", "metadata": {}, "spec": {"expirationSeconds": 600}},
    ],
)
def test_no_audience_means_the_api_server(body: object) -> None:
    denial = judge_token_request(Format.JSON, json.dumps(body).encode(), CLOSED)
    assert code(denial) == 403
    assert denial is not None
    assert "names no audience" in denial.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null x",
        "[]",
        "[" * 100_000,
        '"spec"',
        '{"spec": []}',
        '{"spec": {"audiences": "vault"}}',
        '{"spec": {"audiences": [1]}}',
        '{"spec": {"audiences": [null]}}',
        '{"spec": {"audiences": {"0": "vault"}}}',
        json.dumps({"spec": {"audiences": ["a"] * 65}}),
        json.dumps({"spec": {"audiences": ["a" * 1025]}}),
        # Every key once, in one spelling.
        '{"spec": {"audiences": ["vault"]}, "spec": {"audiences": []}}',
        '{"spec": {"audiences": ["vault"]}, "Spec": {"audiences": []}}',
        '{"spec": {"audiences": ["vault"], "AUDIENCES": []}}',
        '{"Spec": {"audiences": ["vault"]}}',
        '{"spec": {"Audiences": ["vault"]}}',
        '{"\\u017fpec": {"audiences": ["vault"]}}',
        '{"spec": {"audiences": ["vault"]}, "<<": {"spec": {}}}',
        "spec:\n  audiences: [vault]\n",
        '\ufeff{"spec": {"audiences": ["vault"]}}',
    ],
)
def test_a_request_that_could_be_read_otherwise_is_refused(text: str) -> None:
    for form in (Format.JSON, Format.YAML):
        assert code(judge_token_request(form, text.encode(), CLOSED)) == 400


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (field(2, field(1, b"vault")), None),
        (field(2, field(1, b"vault") + field(1, b"sts")), None),
        (field(2, field(1, b"vault") + field(1, b"mca")), 403),
        (field(2, field(1, b"vault")) + field(2, field(1, b"mca")), 403),
        (field(2, field(1, b"")), 403),
        (field(2, b""), 403),
        (b"", 403),
        (field(2, field(1, b"\xff")), 400),
        (b"\x0b", 400),
    ],
)
def test_protobuf(message: bytes, expected: int | None) -> None:
    content = b"k8s\x00" + field(2, message)
    assert code(judge_token_request(Format.PROTOBUF, content, CLOSED)) == expected
