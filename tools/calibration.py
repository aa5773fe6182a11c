"""Prints the milliseconds of CPU time that this interpreter takes for the sidecar's own work.

Run by tools/make_venv.py with each interpreter it may choose from. Parsing heads and targets,
framing bodies and looking up what is remembered: the sidecar's own modules, so that what measures
fastest here is fastest there. A mix of made-up work once took a build for the fastest that needed
half as long again for the real one.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sidecar.chunks import ChunkedBody
from sidecar.head import parse_head, split_request_line
from sidecar.policy.requestinfo import request_info
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import Denial
from sidecar.response import parse_response

_HOSTS = frozenset((b"127.0.0.1:6443",))
_BLOCK = (
    b"\r\nHost: 127.0.0.1:6443\r\nUser-Agent: calibration\r\nAccept: application/json\r\n"
    b"Authorization: Bearer none\r\nAccept-Encoding: gzip\r\n\r\n"
)
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nAudit-Id: %032x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 762\r\n\r\n"
)
_CHUNK = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
_CALLS = 1000
_ROUNDS = 20


def measure() -> float:
    """CPU seconds of one round."""
    body = ChunkedBody()
    known: dict[bytes, object] = {}
    began = time.process_time()
    for number in range(_CALLS):
        line = b"GET /api/v1/namespaces/team-a/pods/worker-%d?watch=0 HTTP/1.1" % (number & 63)
        parse_head(_BLOCK, _HOSTS)
        split = split_request_line(line)
        assert not isinstance(split, Denial)
        target = parse_target(split[1])
        assert isinstance(target, Target)
        known[line] = request_info(split[0], target)
        parse_response(_ANSWER % number, b"%032x" % number)
        for _ in range(8):
            body.feed(_CHUNK)
            request = line + _BLOCK
            known.get(request[: request.find(b"\r\n")])
    return time.process_time() - began


if __name__ == "__main__":
    sys.stdout.write(f"{min(measure() for _ in range(_ROUNDS)) * 1000}\n")
