import asyncio
import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sidecar import log
from sidecar.credentials import (
    CertCredential,
    FileCredential,
    TokenCredential,
    open_credential,
    parse_audiences,
)
from sidecar.log import LineWriter
from sidecar.policy.snapshot import Brokered, CertFiles, TokenFile
from tests.sidecar.test_mint import mint_into
from tests.sidecar.test_watched_file import swap


def encode(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def jwt(claims: object) -> bytes:
    return b".".join((encode({"alg": "RS256"}), encode(claims), b"c2ln"))


def header(credential: FileCredential) -> bytes | None:
    value = credential.header()
    return None if value is None else value.reveal()


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is logged."""
    path = tmp_path / "log"
    monkeypatch.setattr(log, "stdout", LineWriter(os.open(path, os.O_CREAT | os.O_WRONLY)))
    return path


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_token_is_read_at_once_and_shown_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"abc.def-_~+/==\n")
    credential = open_credential(TokenFile(str(tmp_path / "token")))
    assert isinstance(credential, TokenCredential)
    assert (credential.generation, credential.ready, credential.problem) == (1, True, "")
    assert header(credential) == b"Bearer abc.def-_~+/=="
    assert "abc" not in repr(vars(credential))


def test_the_kubelets_rotation_is_a_new_generation(tmp_path: Path) -> None:
    swap(tmp_path, b"one")
    credential = open_credential(TokenFile(str(tmp_path / "token")))
    assert not credential.poll()
    swap(tmp_path, b"two")
    assert credential.poll()
    assert (credential.generation, header(credential)) == (2, b"Bearer two")
    swap(tmp_path, b"two\n")
    assert not credential.poll()
    assert credential.generation == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\r\n", "is empty"),
        (b"a b", "holds characters that no bearer token has"),
        (b" abc", "holds characters that no bearer token has"),
        (b"abc\nX-Remote-User: root", "holds characters that no bearer token has"),
        (b"abc\rdef", "holds characters that no bearer token has"),
        (b"abc\x00", "holds characters that no bearer token has"),
        (b"abc\x7f", "holds characters that no bearer token has"),
        ("schlüssel".encode(), "holds characters that no bearer token has"),
        (b"a=b", "holds characters that no bearer token has"),
        (b"x" * 65537, "is larger than 65536 bytes"),
        (None, "No such file or directory"),
    ],
)
def test_a_bad_token_never_replaces_a_good_one(
    tmp_path: Path, lines: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "token"

    def write() -> None:
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)

    write()
    credential = open_credential(TokenFile(str(path)))
    assert (credential.generation, credential.ready) == (0, False)
    assert header(credential) is None
    assert problem in credential.problem
    path.write_bytes(b"good")
    assert credential.poll()
    assert credential.problem == ""
    write()
    for _ in range(3):
        assert not credential.poll()
    assert (credential.generation, header(credential)) == (1, b"Bearer good")
    assert problem in credential.problem
    told = events(lines)
    assert [(line["event"], line["kept"]) for line in told] == [
        ("credential_unusable", False),
        ("credential_unusable", True),
    ]
    assert all(problem in line["reason"] for line in told)
    if content and 2 < len(content) < 100:
        assert content.strip() not in lines.read_bytes()


def test_the_largest_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"x" * 65536)
    assert open_credential(TokenFile(str(tmp_path / "token"))).ready


async def test_a_401_reads_again_and_one_read_serves_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    path = tmp_path / "token"
    path.write_bytes(b"one")
    credential = open_credential(TokenFile(str(path)))
    assert not await credential.refresh(1)
    # Written in place within the clock's grain, so that no stat shows it.
    before = os.stat(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not credential.poll()
    # Not twice within a second ...
    clock[0] += 0.9
    assert not await credential.refresh(1)
    clock[0] += 0.1
    assert await asyncio.gather(*(credential.refresh(1) for _ in range(50))) == [True] * 50
    assert (credential.generation, header(credential)) == (2, b"Bearer two")
    # ... but whoever was refused with an older one has a newer one at once.
    assert await credential.refresh(1)
    assert not await credential.refresh(2)


async def test_a_refusal_is_told_once_and_what_comes_in_time_serves_all(
    tmp_path: Path, lines: Path
) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"one")
    credential = open_credential(TokenFile(str(path)), cluster="home", wait_s=5)
    asyncio.get_running_loop().call_later(0.2, path.write_bytes, b"two")
    began = time.monotonic()
    assert await asyncio.gather(*(credential.refresh(1) for _ in range(20))) == [True] * 20
    assert 0.15 < time.monotonic() - began < 2
    assert (credential.generation, header(credential)) == (2, b"Bearer two")
    assert [(line["event"], line["cluster"]) for line in events(lines)] == [
        ("credential_refused", "home")
    ]


async def test_nobody_waits_twice_for_what_does_not_come(tmp_path: Path, lines: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"one")
    credential = open_credential(TokenFile(str(path)), wait_s=0.3)
    began = time.monotonic()
    assert await asyncio.gather(*(credential.refresh(1) for _ in range(5))) == [False] * 5
    assert 0.3 <= time.monotonic() - began < 2
    began = time.monotonic()
    assert not await credential.refresh(1)
    assert time.monotonic() - began < 0.3
    assert len(events(lines)) == 1


async def test_the_same_again_says_that_nothing_newer_comes(tmp_path: Path, lines: Path) -> None:
    swap(tmp_path, b"one")
    credential = open_credential(TokenFile(str(tmp_path / "token")), wait_s=30)
    asyncio.get_running_loop().call_later(0.2, swap, tmp_path, b"one")
    began = time.monotonic()
    assert await asyncio.gather(*(credential.refresh(1) for _ in range(5))) == [False] * 5
    # Nor does the next call wait, until it is asked for again.
    assert not await credential.refresh(1)
    assert 0.15 < time.monotonic() - began < 2
    assert len(events(lines)) == 1


async def test_half_a_pair_says_nothing(tmp_path: Path) -> None:
    cert, key = tmp_path / "c", tmp_path / "k"
    one, two = pair(tmp_path, "one"), pair(tmp_path, "two")
    cert.write_bytes(one[0])
    key.write_bytes(one[1])
    credential = open_credential(CertFiles(str(cert), str(key)), wait_s=30)
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, cert.write_bytes, two[0])
    loop.call_later(0.4, key.write_bytes, two[1])
    assert await credential.refresh(1)


async def test_the_next_credential_may_be_refused_as_soon(tmp_path: Path, lines: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"one")
    credential = open_credential(TokenFile(str(path)), wait_s=30)
    for content in (b"two", b"three"):
        asyncio.get_running_loop().call_later(0.1, path.write_bytes, content)
        assert await credential.refresh(credential.generation)
        await asyncio.sleep(1.0)  # the least time between two
    assert header(credential) == b"Bearer three"
    assert len(events(lines)) == 2


def pair(folder: Path, name: str) -> tuple[bytes, bytes]:
    (folder / name).mkdir()
    minted = mint_into(folder / name, None)
    return (minted / "tls.crt").read_bytes(), (minted / "tls.key").read_bytes()


def test_a_certificate_is_taken_as_a_pair(tmp_path: Path, lines: Path) -> None:
    cert, key = tmp_path / "c", tmp_path / "k"
    one, two = pair(tmp_path, "one"), pair(tmp_path, "two")
    cert.write_bytes(one[0])
    credential = open_credential(CertFiles(str(cert), str(key)))
    assert isinstance(credential, CertCredential)
    assert (credential.generation, credential.ready) == (0, False)
    assert credential.problem == f"{key}: No such file or directory"
    key.write_bytes(one[1])
    assert credential.poll()
    assert credential.generation == 1
    assert (credential.header(), credential.api_audiences()) == (None, None)
    assert (credential.cert_path, credential.key_path) == (str(cert), str(key))
    # Half of a rotation is none.
    cert.write_bytes(two[0])
    assert not credential.poll()
    assert not credential.poll()
    assert (credential.generation, credential.ready) == (1, True)
    assert "KEY_VALUES_MISMATCH" in credential.problem
    key.write_bytes(two[1])
    assert credential.poll()
    assert (credential.generation, credential.problem) == (2, "")
    assert [line["kept"] for line in events(lines)] == [False, True]


@pytest.mark.parametrize("content", [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_broken_certificate_never_replaces_a_good_one(tmp_path: Path, content: bytes) -> None:
    cert, key = tmp_path / "c", tmp_path / "k"
    good = pair(tmp_path, "good")
    cert.write_bytes(good[0])
    key.write_bytes(good[1])
    credential = open_credential(CertFiles(str(cert), str(key)))
    cert.write_bytes(content)
    assert not credential.poll()
    assert (credential.generation, credential.ready) == (1, True)
    assert credential.problem.startswith(f"{cert}, {key}: ")
    assert not credential.problem.endswith(": ")


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    cert, key = tmp_path / "c", tmp_path / "k"
    good = pair(tmp_path, "good")
    cert.write_bytes(good[0])
    (tmp_path / "plain").write_bytes(good[1])
    subprocess.run(
        [
            "openssl",
            "pkcs8",
            "-topk8",
            "-in",
            tmp_path / "plain",
            "-out",
            key,
            "-passout",
            "pass:x",
        ],
        check=True,
    )
    credential = open_credential(CertFiles(str(cert), str(key)))
    assert not credential.ready
    assert credential.problem.startswith(f"{cert}, {key}: ")


ISSUER = "https://kubernetes.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("token", "audiences"),
    [
        (jwt({"aud": [ISSUER, "k3s"], "iss": ISSUER}), {ISSUER, "k3s"}),
        (jwt({"aud": "one", "iss": ISSUER}), {"one", ISSUER}),
        (jwt({"aud": [], "iss": ISSUER}), None),
        (jwt({"aud": [""], "iss": ISSUER}), None),
        (jwt({"aud": [1], "iss": ISSUER}), None),
        (jwt({"aud": [["x"]], "iss": ISSUER}), None),
        (jwt({"aud": {"x": 1}, "iss": ISSUER}), None),
        (jwt({"aud": None, "iss": ISSUER}), None),
        (jwt({"aud": "one"}), None),
        (jwt({"aud": "one", "iss": 7}), None),
        # A token of the old kind, from a Secret: it names no audience.
        (jwt({"iss": "kubernetes/serviceaccount"}), None),
        (jwt(["aud", "iss"]), None),
        (jwt("aud"), None),
        (jwt(None), None),
        (b"a.b.c", None),
        (b"a.!.c", None),
        (b"a.e30.c.d", None),
        (b"opaque", None),
        (b"", None),
        (b"a." + base64.urlsafe_b64encode(b"[" * 40000) + b".c", None),
        (b"a." + base64.urlsafe_b64encode(b"\xff\xfe\xfd") + b".c", None),
    ],
    ids=range(21),
)
def test_audiences_are_those_of_the_token_and_its_issuer(
    token: bytes, audiences: set[str] | None
) -> None:
    assert parse_audiences(token) == (None if audiences is None else frozenset(audiences))


@given(
    st.binary(max_size=60)
    | st.builds(
        jwt,
        st.dictionaries(
            st.sampled_from(["aud", "iss", "x"]),
            st.none()
            | st.integers()
            | st.text("aé", max_size=3)
            | st.lists(st.text("aé", max_size=3), max_size=3),
        ),
    )
)
def test_no_token_is_too_odd_to_look_at(token: bytes) -> None:
    found = parse_audiences(token)
    assert found is None or (found and all(found))


def test_audiences_follow_the_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(jwt({"aud": ["a"], "iss": "i"}))
    credential = open_credential(TokenFile(str(path)))
    assert credential.api_audiences() == frozenset(("a", "i"))
    path.write_bytes(b"opaque-now")
    assert credential.poll()
    assert credential.api_audiences() is None


def test_a_poll_costs_next_to_nothing(tmp_path: Path) -> None:
    swap(tmp_path, b"one")
    credential = open_credential(TokenFile(str(tmp_path / "token")))
    opened = 0
    real = os.open

    def count(*args: Any, **kwargs: Any) -> int:
        nonlocal opened
        opened += 1
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", count)
        for second in range(120):
            credential.poll(1e6 + second)
    # Once because the last time is long ago, once a minute later.
    assert opened == 2


def test_without_a_broker_there_is_none_of_its_credentials() -> None:
    credential = open_credential(Brokered(), cluster="eu-1")
    assert not credential.poll()
    assert not credential.ready
    assert credential.header() is None
    assert credential.api_audiences() == frozenset()
    assert credential.problem.startswith("its credentials come from the broker")
