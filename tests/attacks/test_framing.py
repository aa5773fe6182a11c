"""Attacks 20 to 24: where a message ends, and how large it may be."""

import pytest

from tests.attacks.conftest import Front, assert_status

TARGET = "/api/v1/namespaces/team-a/configmaps"
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

# 20: framing given twice or oddly. Each is (header lines, body).
TWO_WAYS: dict[str, tuple[tuple[str, ...], str]] = {
    "cl-te": (("Content-Length: 5", CHUNKED), "0\r\n\r\n" + SMUGGLED),
    "te-cl": ((CHUNKED, "Content-Length: 40"), "0\r\n\r\n" + SMUGGLED),
    "cl-cl": (("Content-Length: 0", "Content-Length: 5"), "hello"),
    "cl-cl-equal": (("Content-Length: 5", "Content-Length: 5"), "hello"),
    "cl-list": (("Content-Length: 5, 5",), "hello"),
    "cl-plus": (("Content-Length: +5",), "hello"),
    "cl-minus": (("Content-Length: -5",), "hello"),
    "cl-hex": (("Content-Length: 0x5",), "hello"),
    "cl-underscore": (("Content-Length: 1_0",), "hellohello"),
    "cl-float": (("Content-Length: 5.0",), "hello"),
    "cl-empty": (("Content-Length:",), "hello"),
    "cl-space-inside": (("Content-Length: 1 0",), "hello"),
    "cl-too-long": (("Content-Length: 99999999999999999999",), "hello"),
    "cl-arabic-digits": (("Content-Length: \xd9\xa5",), "hello"),
    "te-identity": (("Transfer-Encoding: identity", "Content-Length: 5"), "hello"),
    "te-identity-alone": (("Transfer-Encoding: identity",), "hello"),
    "te-list": (("Transfer-Encoding: chunked,identity",), "0\r\n\r\n"),
    "te-list-chunked-last": (("Transfer-Encoding: gzip, chunked",), "0\r\n\r\n"),
    "te-te": ((CHUNKED, CHUNKED), "0\r\n\r\n"),
    "te-te-other": ((CHUNKED, "Transfer-Encoding: x"), "0\r\n\r\n"),
    "te-quoted": (('Transfer-Encoding: "chunked"',), "0\r\n\r\n"),
    "te-parameter": (("Transfer-Encoding: chunked;q=1",), "0\r\n\r\n"),
    "te-vertical-tab": (("Transfer-Encoding: \x0bchunked",), "0\r\n\r\n"),
    "te-x-chunked": (("Transfer-Encoding: xchunked",), "0\r\n\r\n"),
    "te-empty": (("Transfer-Encoding:", "Content-Length: 5"), "hello"),
    "te-space-before-colon": (("Transfer-Encoding : chunked",), "0\r\n\r\n"),
    "te-folded": (("Transfer-Encoding:\r\n chunked",), "0\r\n\r\n"),
    "te-after-fold": (("X-A: b\r\n Transfer-Encoding: chunked",), "0\r\n\r\n"),
    "cl-folded": (("Content-Length:\r\n\t5",), "hello"),
    "fold-first": (("X-A: 1\r\n 2", "Content-Length: 5"), "hello"),
    "bare-lf": (("X-A: 1\nContent-Length: 5",), "hello"),
    "bare-lf-hides-te": (("X-A: 1\nTransfer-Encoding: chunked", "Content-Length: 5"), "0\r\n\r\n"),
    "bare-cr": (("X-A: 1\rContent-Length: 5",), "hello"),
    "bare-cr-hides-te": (("X-A: 1\rTransfer-Encoding: chunked", "Content-Length: 5"), "0\r\n\r\n"),
    "nul": (("X-A: 1\x00", "Content-Length: 5"), "hello"),
}


@pytest.mark.parametrize(("lines", "body"), TWO_WAYS.values(), ids=TWO_WAYS.keys())
def test_20_framing_in_two_ways(front: Front, lines: tuple[str, ...], body: str) -> None:
    front.refuse(front.render("POST", TARGET, JSON, *lines, body=body.encode()), 400)


@pytest.mark.parametrize(
    "raw",
    [
        "GET {target} HTTP/1.1\nHost: {host}\nAuthorization: Bearer {token}\n\n",
        "GET {target} HTTP/1.1\r\nHost: {host}\nAuthorization: Bearer {token}\r\n\r\n",
        "GET {target} HTTP/1.1\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n",
        "\r\nGET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n",
        "\nGET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n",
        "GET {target} HTTP/1.1\r\n Host: {host}\r\nAuthorization: Bearer {token}\r\n\r\n",
        "GET {target} HTTP/1.1\r\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n",
    ],
    ids=["lf-only", "lf-once", "lf-after-line", "crlf-first", "lf-first", "fold-first", "cr-cr-lf"],
)
def test_20_line_ends(front: Front, raw: str) -> None:
    host = f"127.0.0.1:{front.sidecar.port}"
    filled = raw.format(target=TARGET, host=host, token=front.sidecar.token())
    front.refuse(filled.encode(), 400)


# Chunks: with the whole body at hand nothing is forwarded; see the next test for those that come
# later.
BAD_CHUNKS = {
    "lf-after-size": b"5\nhello\r\n0\r\n\r\n",
    "lf-after-data": b"5\r\nhello\n0\r\n\r\n",
    "lf-in-extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "extension-on-last": b"5\r\nhello\r\n0;a=b\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "space-before": b" 5\r\nhello\r\n0\r\n\r\n",
    "space-after": b"5 \r\nhello\r\n0\r\n\r\n",
    "underscore": b"1_0\r\nhellohellohello!\r\n0\r\n\r\n",
    "empty-size": b"\r\nhello\r\n0\r\n\r\n",
    "no-hex": b"g\r\nhello\r\n0\r\n\r\n",
    "overflow": b"ffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
    "too-many-zeros": b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n",
    "longer-than-size": b"4\r\nhello\r\n0\r\n\r\n",
    "shorter-than-size": b"6\r\nhello\r\n0\r\n\r\n",
    "nul-size": b"5\x00\r\nhello\r\n0\r\n\r\n",
    "cr-only": b"5\rhello\r0\r\r",
    "trailer-no-colon": b"5\r\nhello\r\n0\r\nbad\r\n\r\n",
    "trailer-lf": b"5\r\nhello\r\n0\r\nX: 1\nY: 2\r\n\r\n",
    "trailer-fold": b"5\r\nhello\r\n0\r\nX: 1\r\n Y: 2\r\n\r\n",
    "trailer-space-in-name": b"5\r\nhello\r\n0\r\nX : 1\r\n\r\n",
    "trailer-nul": b"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_20_bad_chunks(front: Front, body: bytes) -> None:
    front.refuse(front.render("POST", TARGET, JSON, CHUNKED, body=body), 400, "http/framing")


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
def test_20_bad_chunks_of_a_body_that_is_judged(front: Front, body: bytes) -> None:
    target = "/api/v1/namespaces/team-a/secrets"
    front.refuse(front.render("POST", target, JSON, CHUNKED, body=body), 400, "http/framing")


@pytest.mark.parametrize("body", [b"5\nhello", b"5;x\r\nhello", b"5\r\nhello!\r\n"])
def test_20_bad_chunks_that_come_later(front: Front, body: bytes) -> None:
    """The head is on its way: nothing of the bad chunk follows, and that connection ends."""
    front.mark()
    with front.connect() as client:
        client.send(front.render("POST", TARGET, JSON, CHUNKED, body=b"2\r\n{}\r\n"))
        assert client.is_open(0.1)
        connections = front.upstream.connections
        client.send(body)
        assert_status(client.read_response(), 400, "http/framing")
        client.wait_closed()
    with front.connect() as client:
        assert client.ask(front.render()).status == 200
    assert front.upstream.connections == connections + 1
    assert b"hello!" not in front.upstream.requests[-2].body


def test_20_nothing_behind_a_refused_request_is_read(front: Front) -> None:
    bad = front.render("POST", TARGET, "Content-Length: +1", body=b"x")
    front.refuse(bad + front.render(target="/api/v1/smuggled"), 400)


# 21: bodies where none is expected


def test_21_get_with_a_body(front: Front) -> None:
    """Passed on with its framing; what follows it is a request of its own."""
    front.mark()
    before = len(front.upstream.requests)
    with front.connect() as client:
        request = front.render("GET", TARGET, f"Content-Length: {len(SMUGGLED)}")
        client.send(request + SMUGGLED.encode() + front.render(target="/api/v1/next"))
        assert client.read_response().status == 200
        assert client.read_response().status == 200
    targets = [request.target for request in front.upstream.requests[before:]]
    assert targets == [TARGET.encode(), b"/api/v1/next"]
    assert front.upstream.requests[before].body == SMUGGLED.encode()


@pytest.mark.parametrize("pieces", [1, 7])
def test_21_chunked_get_with_a_body(front: Front, pieces: int) -> None:
    before = len(front.upstream.requests)
    raw = front.render("DELETE", TARGET, CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n")
    raw += front.render(target="/api/v1/next")
    with front.connect() as client:
        for start in range(0, len(raw), len(raw) // pieces):
            client.send(raw[start : start + len(raw) // pieces])
        assert client.read_response().status == 200
        assert client.read_response().status == 200
    targets = [request.target for request in front.upstream.requests[before:]]
    assert targets == [TARGET.encode(), b"/api/v1/next"]
    assert front.upstream.requests[before].body == b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("expect", ["200-ok", "100-continue, x", "", "100"])
def test_21_other_expectations(front: Front, expect: str) -> None:
    request = front.render("POST", TARGET, f"Expect: {expect}", "Content-Length: 2", body=b"{}")
    front.refuse(request, 400, "http/expect")


# 22: trailers


def test_22_trailers_are_dropped(front: Front) -> None:
    body = (
        b"2\r\n{}\r\n0\r\n"
        b"Authorization: Bearer x\r\nImpersonate-User: system:admin\r\nX-Remote-User: a\r\n\r\n"
    )
    request = front.render("POST", TARGET, JSON, CHUNKED, "Trailer: Authorization", body=body)
    before = len(front.upstream.requests)
    with front.connect() as client:
        client.send(request + front.render(target="/api/v1/next"))
        assert client.read_response().status == 200
        assert client.read_response().status == 200
    arrived, following = front.upstream.requests[before:]
    assert arrived.body == b"2\r\n{}\r\n0\r\n\r\n"
    assert arrived.values(b"Trailer") == []
    assert following.target == b"/api/v1/next"


# 23: bombs


def test_23_a_head_of_85_kb_passes(front: Front) -> None:
    """A real label selector made one."""
    selector = "a%20in%20(" + ",".join(f"value-{n:05}" for n in range(7100)) + ")"
    target = f"/api/v1/namespaces/team-a/pods?labelSelector={selector}"
    assert len(target) > 85_000
    assert front.forward(front.render(target=target)).target == target.encode()


BOMBS = {
    "long-value": "X-A: " + "a" * 300_000,
    "long-name": "X-" + "a" * 300_000 + ": 1",
    "many-fields": "\r\n".join(f"X-{n}: 1" for n in range(201)),
    "many-same-fields": "\r\n".join("X-A: 1" for n in range(201)),
    "many-long-fields": "\r\n".join(f"X-{n}: {'a' * 4000}" for n in range(100)),
}


@pytest.mark.parametrize("lines", BOMBS.values(), ids=BOMBS.keys())
def test_23_header_bombs(front: Front, lines: str) -> None:
    front.refuse(front.render("GET", TARGET, lines), 431)


def test_23_a_head_without_end(front: Front) -> None:
    """Refused when the limit is passed, not when memory is."""
    front.mark()
    with front.connect() as client:
        client.send(front.render("GET", TARGET)[:-2])
        line = b"X-A: " + b"a" * 8000 + b"\r\n"
        assert client.send_until_answered(line for _ in range(1000))
        assert_status(client.read_response(), 431, "http/head")
    front.assert_nothing_forwarded()


@pytest.mark.parametrize(
    "trailer", [b"X: " + b"a" * 100_000, b"X-A: 1\r\n" * 10_000], ids=["one", "many"]
)
def test_23_trailer_bombs(front: Front, trailer: bytes) -> None:
    body = b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n"
    with front.connect() as client:
        client.send(front.render("POST", TARGET, JSON, CHUNKED, body=body))
        assert_status(client.read_response(), 400, "http/framing")


def test_23_bombs_leave_no_memory(front: Front) -> None:
    for _ in range(10):
        with front.connect() as client:
            client.ask(front.render("GET", TARGET, BOMBS["many-long-fields"]))
    before = front.sidecar.rss_bytes()
    for _ in range(40):
        with front.connect() as client:
            client.ask(front.render("GET", TARGET, BOMBS["many-long-fields"]))
    assert front.sidecar.rss_bytes() - before < 4 << 20


def test_23_bodies_that_are_judged_are_bounded(front: Front) -> None:
    target = "/api/v1/namespaces/team-a/secrets"
    size = (3 << 20) + 1
    front.mark()
    with front.connect() as client:
        client.send(front.render("POST", target, JSON, f"Content-Length: {size}"))
        assert_status(client.read_response(), 413, "http/body")
    with front.connect() as client:
        client.send(front.render("POST", target, JSON, CHUNKED))
        chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        assert client.send_until_answered(chunk for _ in range(1000))
        assert_status(client.read_response(), 413, "http/body")
    front.assert_nothing_forwarded()


def test_23_tiny_chunks_cannot_swell_a_judged_body(front: Front) -> None:
    """One byte in six carries data: the frames count too."""
    target = "/api/v1/namespaces/team-a/secrets"
    before = front.sidecar.rss_bytes()
    with front.connect() as client:
        client.send(front.render("POST", target, JSON, CHUNKED))
        assert client.send_until_answered(b"1\r\n \r\n" * 2700 for _ in range(3000))
        assert_status(client.read_response(), 413, "http/body")
    assert front.sidecar.rss_bytes() - before < 40 << 20


# 24: other protocols


@pytest.mark.parametrize(
    "lines",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        ("Connection: Upgrade", "Upgrade: TLS/1.0"),
        ("Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"),
        ("Connection: Upgrade", "Upgrade: websocket, h2c"),
        ("Connection: Upgrade", "Upgrade: SPDY/3"),
        ("Connection: Upgrade", "Upgrade: websocket", "Content-Length: 5"),
        ("Connection: Upgrade", "Upgrade: websocket", CHUNKED),
    ],
)
def test_24_upgrades_to_anything_else(front: Front, lines: tuple[str, ...]) -> None:
    target = "/api/v1/namespaces/team-a/pods/a/exec"
    front.refuse(front.render("GET", target, *lines, body=b"5\r\nhello\r\n0\r\n\r\n"), 400)


@pytest.mark.parametrize("protocol", ["websocket", "SPDY/3.1"])
@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/namespaces/team-a/pods",
        "/api/v1/namespaces/team-a/pods?watch=1",
        "/api/v1/namespaces/team-a/pods/a/log",
        "/api/v1/namespaces/team-a/services/a/exec",
        "/apis/metrics.k8s.io/v1beta1/namespaces/team-a/pods/a/exec",
        "/version",
    ],
)
def test_24_upgrades_elsewhere(front: Front, target: str, protocol: str) -> None:
    lines = ("Connection: Upgrade", f"Upgrade: {protocol}")
    front.refuse(front.render("GET", target, *lines), 400, "http/upgrade")


def test_24_an_upgrade_that_connection_does_not_name_is_dropped(front: Front) -> None:
    arrived = front.forward(front.render("GET", TARGET, "Upgrade: h2c"))
    assert arrived.values(b"Upgrade") == []
    assert arrived.values(b"Connection") == []
