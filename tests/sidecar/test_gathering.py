import pytest

from sidecar.gate import Decided, Known
from sidecar.gathering import Gathering
from sidecar.head import RequestHead, parse_head
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import Body, Caller, Denial, Reason
from sidecar.refusals import BODY_TOO_LARGE

CALLER = Caller("app", "team-a", "robot", "web-0")
LINE = b"POST /api/v1/namespaces/team-a/secrets HTTP/1.1"


def gather(*fields: bytes, limit: int = 100) -> Gathering:
    """A gathering for a call whose head has these fields about its body."""
    block = b"\r\n".join([b"", b"Host: localhost", b"Authorization: Bearer a", *fields, b"", b""])
    head = parse_head(block, frozenset({b"localhost"}))
    target = parse_target(LINE.split()[1])
    assert isinstance(head, RequestHead)
    assert isinstance(target, Target)
    info = request_info("POST", target)
    assert isinstance(info, RequestInfo)
    known = Known(head, CALLER, {})
    return Gathering(known, Decided(LINE, info, CALLER), limit, b"trace")


def test_a_body_of_known_length() -> None:
    gathering = gather(
        b"Content-Length: 4", b"Content-Type: application/json", b"Content-Encoding: gzip"
    )
    ended = []
    for piece in (b"ab", b"cdGET /next"):
        assert gathering.feed(piece) is None
        ended.append(gathering.done)
    assert ended == [False, True]
    assert gathering.rest == b"GET /next"
    assert gathering.raw() == b"abcd"
    assert gathering.body() == Body("application/json", b"abcd", "gzip")
    assert (gathering.held, gathering.trace) == (8, b"trace")
    assert gathering.known.caller is gathering.decided.caller is CALLER


def test_a_body_in_chunks_is_judged_without_its_frames_and_forwarded_with_them() -> None:
    gathering = gather(b"Transfer-Encoding: chunked")
    ended = []
    frames = b"2\r\nab\r\n2\r\ncd\r\n0\r\nTrailer: gone\r\n\r"
    for piece in (*(bytes([byte]) for byte in frames), b"\nrest"):
        assert gathering.feed(piece) is None
        ended.append(gathering.done)
    assert ended == [False] * len(frames) + [True]
    assert gathering.rest == b"rest"
    assert gathering.raw() == b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
    assert gathering.body() == Body("", b"abcd", "")


def test_a_malformed_body_is_refused() -> None:
    refusal = gather(b"Transfer-Encoding: chunked").feed(b"2;a=b\r\n")
    assert isinstance(refusal, Denial)
    assert (refusal.reason, refusal.rule) == (Reason.BAD_REQUEST, "http/framing")
    assert "chunk size" in refusal.message


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_limit_is_on_what_is_judged(size: int) -> None:
    frame = b"%x\r\n%b\r\n" % (size, b"a" * size)
    gathering = gather(b"Transfer-Encoding: chunked")
    for _ in range(100 // size):
        assert gathering.feed(frame) is None
    assert gathering.feed(b"%x\r\n%b\r\n" % (7, b"a" * 7)) is BODY_TOO_LARGE


def test_a_body_just_at_the_limit() -> None:
    gathering = gather(b"Content-Length: 100")
    assert gathering.feed(b"a" * 100) is None
    assert gathering.done
    assert gather(b"Content-Length: 101").feed(b"a" * 101) is BODY_TOO_LARGE


def test_frames_may_not_be_much_more_than_what_they_carry() -> None:
    """A chunk of a byte is six bytes: the limit on memory is on the raw bytes too."""
    gathering = gather(b"Transfer-Encoding: chunked", limit=2000)
    held = 0
    while (refusal := gathering.feed(b"1\r\na\r\n")) is None:
        held += 6
    assert refusal is BODY_TOO_LARGE
    assert held <= 2 * 2000 + 1024 < held + 6
