"""Canonical or refused. tests/oracle holds what is accepted against the API server's own parser."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.target import DECIDING_KEYS, Target, parse_target
from sidecar.policy.verdict import REASON_CODES, Denial

POD = b"/api/v1/namespaces/team-a/pods/web-0"


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        (b"/", ()),
        (b"/api", ("api",)),
        (b"/api/", ("api",)),
        (POD, ("api", "v1", "namespaces", "team-a", "pods", "web-0")),
        (b"/api/v1/pods/", ("api", "v1", "pods")),
        (b"/%61pi/v1/%70ods", ("api", "v1", "pods")),
        (b"/a/system%3Anode", ("a", "system:node")),
        (b"/a/system%3anode", ("a", "system:node")),
        (b"/a/system:node", ("a", "system:node")),
        (b"/a/UPPER", ("a", "UPPER")),
        (b"/a/with%20space", ("a", "with space")),
        (b"/a/b%23c", ("a", "b#c")),
        (b"/a/b%3Fc", ("a", "b?c")),
        (b"/a/%C3%BC", ("a", "ü")),
        (b"/a/...", ("a", "...")),
        (b"/a/.b", ("a", ".b")),
        (b"/a/b..", ("a", "b..")),
        (b"/a/b+c", ("a", "b+c")),
        (b"/a/~!$&'()*,=@", ("a", "~!$&'()*,=@")),
        (b'/a/"<>^`{|}', ("a", '"<>^`{|}')),
    ],
)
def test_a_canonical_path_is_judged_decoded_and_kept_raw(
    raw: bytes, segments: tuple[str, ...]
) -> None:
    target = parse_target(raw)
    assert isinstance(target, Target)
    assert target.segments == segments
    assert target.raw == raw
    assert target.path == unquote(raw.decode())
    assert target.query == ()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        # Attack 1-6, 7, 8 of the list that the design is tested against.
        (b"/api/v1/namespaces/mine/../kube-system", "dot segment"),
        (b"/api/v1/namespaces/mine/%2e%2e/kube-system", "dot segment"),
        (b"/a/%2E./b", "dot segment"),
        (b"/a/.", "dot segment"),
        (b"/a/..", "dot segment"),
        (b"/./a", "dot segment"),
        (b"/a/./", "dot segment"),
        (b"/a/%2e", "dot segment"),
        (b"/api/v1/namespaces/mine%2f..%2fx/pods", "segment holds"),
        (b"/a%2Fb", "segment holds"),
        (b"/a/%252f", "segment holds"),
        (b"/a/%25", "segment holds"),
        (b"/a//b", "empty segment"),
        (b"//", "empty segment"),
        (b"//a", "empty segment"),
        (b"/a//", "empty segment"),
        (b"/a;x=1", "segment holds"),
        (b"/a/%3b", "segment holds"),
        (b"/a\\b", "segment holds"),
        (b"/a/%5c..", "segment holds"),
        (b"/a/%00", "segment holds"),
        (b"/a/%0d%0a", "segment holds"),
        (b"/a/%7f", "segment holds"),
        (b"/a/%C2%85", "segment holds"),
        (b"/a/%c0%ae%c0%ae", "not UTF-8"),
        (b"/a/%ff", "not UTF-8"),
        (b"/a/%ed%a0%80", "not UTF-8"),
        (b"/a/%", "bad percent escape"),
        (b"/a/%4", "bad percent escape"),
        (b"/a/%zz", "bad percent escape"),
        (b"/a/%+1", "bad percent escape"),
        (b"/a\x00", "no URL may hold"),
        (b"/a b", "no URL may hold"),
        (b"/a\xc3\xbc", "no URL may hold"),
        (b"/a\x7f", "no URL may hold"),
        (b"/a#b", "no URL may hold"),
        (b"/a?b#c", "no URL may hold"),
        (b"/a?b\xff", "no URL may hold"),
        (b"/a?b c", "no URL may hold"),
        (b"", "not a path"),
        (b"*", "not a path"),
        (b"?watch=1", "not a path"),
        (b"pods", "not a path"),
        (b"https://kubernetes.default.svc/api/v1/pods", "not a path"),
        (b"kubernetes:443", "not a path"),
        (b"#", "not a path"),
    ],
)
def test_what_is_not_canonical_is_refused(raw: bytes, why: str) -> None:
    refused = parse_target(raw)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 400
    assert refused.rule == "target/canonical"
    assert why in refused.message


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", ()),
        (b"watch=1", (("watch", "1"),)),
        (b"watch", (("watch", ""),)),
        (b"watch=", (("watch", ""),)),
        (b"watch=a=b", (("watch", "a=b"),)),
        (b"%77atch=%31", (("watch", "1"),)),
        (b"labelSelector=a+in+(b)", (("labelSelector", "a in (b)"),)),
        (b"labelSelector=a%2Bb%20c", (("labelSelector", "a+b c"),)),
        (b"labelSelector=a%09in%0d%0a(b)", (("labelSelector", "a\tin\r\n(b)"),)),
        (b"labelSelector=!a,b+in+(c,d)", (("labelSelector", "!a,b in (c,d)"),)),
        (b"fieldSelector=metadata.name%3D%C3%BC", (("fieldSelector", "metadata.name=ü"),)),
        (b"&&watch=1&", (("watch", "1"),)),
        (b"a=?&watch=?", (("watch", "?"),)),
        # Other keys are neither kept (exec puts commands there) nor judged.
        (b"command=sh&command=-c&command=echo%20secret", ()),
        (b"x=1&x=2&x=%00&x=%ff", ()),
        (b"Watch=1&WATCH=1&watch+=1&wa%tch=1", ()),
        # The server drops these pairs, and so do we.
        (b"x=%zz&watch=1", (("watch", "1"),)),
        (b"%zz=1&%=2&watch=1", (("watch", "1"),)),
        (b"command=a;b&watch=1", (("watch", "1"),)),
        (b";&x;y=1;%zz=1&watch=1", (("watch", "1"),)),
    ],
)
def test_the_query_is_read_as_the_server_reads_it(
    query: bytes, pairs: tuple[tuple[str, str], ...]
) -> None:
    target = parse_target(b"/api/v1/pods?" + query)
    assert isinstance(target, Target)
    assert target.query == pairs


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (b"watch=1;x=2", "hides watch"),
        (b"x=1;watch=0", "hides watch"),
        (b"x=1;%77atch=0;y", "hides watch"),
        (b"a=1&b;container", "hides container"),
        (b"watch=%zz", "hides watch"),
        (b"fieldSelector=%", "hides fieldSelector"),
        (b"labelSelector=%ff", "not UTF-8"),
        (b"fieldSelector=metadata.name%3Da%00b", "control character"),
        (b"container=a%0Bb", "control character"),
        (b"watch=fal%C5%BFe", "watch is 'fal\u017fe'"),
        (b"&".join([b"a"] * 10_001), "too many pairs"),
    ],
)
def test_a_deciding_key_that_could_be_read_otherwise_is_refused(query: bytes, why: str) -> None:
    refused = parse_target(b"/api/v1/pods?" + query)
    assert isinstance(refused, Denial)
    assert REASON_CODES[refused.reason] == 400
    assert why in refused.message


@pytest.mark.parametrize("key", sorted(DECIDING_KEYS))
def test_a_deciding_key_given_twice_is_refused(key: str) -> None:
    once = f"/a?{key}=1".encode()
    assert isinstance(parse_target(once), Target)
    for again in (key, f"%{ord(key[0]):02X}{key[1:]}"):
        refused = parse_target(once + f"&{again}=1".encode())
        assert isinstance(refused, Denial)
        assert f"gives {key} twice" in refused.message


def test_as_many_pairs_as_the_server_reads_are_read() -> None:
    target = parse_target(b"/a?" + b"&".join([b"x=1"] * 9_999 + [b"watch=1"]))
    assert isinstance(target, Target)
    assert target.query == (("watch", "1"),)


safe_segments = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\;%", exclude_categories=("Cc", "Cs")),
    min_size=1,
).filter(lambda text: text not in (".", ".."))


@given(st.lists(safe_segments, max_size=6))
def test_any_name_that_may_stand_in_a_path_survives(segments: list[str]) -> None:
    raw = "/" + "/".join(quote(segment, safe="") for segment in segments)
    target = parse_target(raw.encode())
    assert isinstance(target, Target)
    assert target.segments == tuple(segments)


@given(st.binary(max_size=40), st.sampled_from([b"", b"/", b"/a?", b"/a?watch="]))
def test_any_bytes_are_canonical_or_refused(rest: bytes, start: bytes) -> None:
    target = parse_target(start + rest)
    if isinstance(target, Denial):
        assert target.message.isprintable()
        return
    assert target.raw == start + rest
    assert target.path.startswith("/")
    assert not set(target.segments) & {"", ".", ".."}
    assert not set("".join(target.segments)) & set("/\\;%\x00")
    assert len(dict(target.query)) == len(target.query)
    assert {key for key, _ in target.query} <= DECIDING_KEYS
