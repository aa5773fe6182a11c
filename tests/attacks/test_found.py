"""What an attacker found before the release: each hole stays closed."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.policy.bodies import Finding, Forbidden, Format, find_forbidden
from sidecar.policy.protobuf import values_at
from tests.attacks.conftest import Front
from tests.sidecar_process import SidecarProcess

SECRETS = "/api/v1/namespaces/team-a/secrets"
ADMIN_CONNECTIONS = 64
MB = 1 << 20


def in_pairs(body: bytes) -> Iterator[bytes]:
    """Two bytes a TLS record."""
    for start in range(0, len(body), 2):
        yield body[start : start + 2]


def test_a_judged_body_in_tiny_records_holds_no_more_than_its_size(front: Front) -> None:
    """A piece of two bytes cost sixty-four: 3 MiB were 90 MiB, four of them the pod's memory."""
    body = json.dumps({"data": {"a": "x" * MB}}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    before = front.sidecar.rss_bytes()
    with front.connect(timeout_s=60.0) as client:
        client.send(front.render("POST", SECRETS, *lines))
        most = before
        for number, record in enumerate(in_pairs(body)):
            client.send(record)
            if number % 50_000 == 0:
                most = max(most, front.sidecar.rss_bytes())
        most = max(most, front.sidecar.rss_bytes())
        assert client.read_response().status == 200
    assert most - before < 12 * MB


def test_fields_are_counted_on_all_levels_together() -> None:
    """3 MiB of small messages, each below the bound, held up everybody for 1.4 s."""
    message = b"\x0a\x3c" + b"\x08\x00" * 30
    with pytest.raises(ValueError, match="too many"):
        values_at([message * 10_000], (1, 12, 1))


@pytest.mark.parametrize("before", [0, 1, 1022, 1023, 1024, 1025, 2047, 2048, 5000])
@pytest.mark.parametrize("filler", ['"a"', '"\\u0061"', '"\\"", "\\\\"'])
def test_strings_are_judged_many_at_once(before: int, filler: str) -> None:
    """200,000 escaped strings, parsed one by one, held up everybody for 0.3 s."""
    forbidden = Forbidden(("bad.io/x",), lambda text: text == "bad.io/x", ())
    fillers = f"{filler}, " * before

    def find(literal: str) -> Finding:
        text = f"[{fillers}{literal}, {fillers}null]"
        return find_forbidden(Format.JSON, text.encode(), forbidden)

    assert find('"\\u0062ad.io\\/x"') is Finding.PRESENT
    assert find('"bad.io/xy", "\\n"') is Finding.ABSENT
    assert find('"\\q"') is Finding.MALFORMED


def test_silent_neighbours_do_not_keep_the_kubelet_from_the_admin_port(front: Front) -> None:
    """Any pod may connect: 64 that said nothing made every probe fail, and the pod restart."""
    silent = [socket.create_connection(front.sidecar.admin) for _ in range(ADMIN_CONNECTIONS)]
    try:
        for path in ("/livez", "/readyz"):
            assert front.sidecar.ask_admin(path).status == 200
    finally:
        for sock in silent:
            sock.close()


def test_no_core_file_of_the_process_that_holds_the_credential(
    front: Front, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    """It held the token in the clear, and lay where the process was started."""
    unlimited = "resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)"
    sidecar = make_sidecar(front.upstream.cluster(), before=unlimited)
    limits = Path(f"/proc/{sidecar.pid}/limits").read_text().splitlines()
    (core,) = (line.split()[4:6] for line in limits if line.startswith("Max core file size"))
    assert core == ["0", "0"]
