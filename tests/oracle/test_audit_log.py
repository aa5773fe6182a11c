"""RequestInfo against a real API server: what it wrote to its audit log for the same bytes.

The user has no rights: each call is refused and audited all the same, and changes nothing.
"""

import socket
import ssl
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from http.client import HTTPResponse
from typing import Any

from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import Denial
from tests.controlplane import ControlPlane, RawEvent
from tests.oracle.corpus import RequestLine, generate

CORPUS = 12_000


def accepted_ones(lines: Iterable[RequestLine]) -> Iterator[tuple[RequestLine, RequestInfo]]:
    for line in lines:
        target = parse_target(line.target)
        if isinstance(target, Denial):
            continue
        info = request_info(line.method, target)
        if isinstance(info, RequestInfo):
            yield line, info


def object_reference(info: RequestInfo) -> dict[str, str] | None:
    """The objectRef that the audit log must hold, without its empty fields."""
    if not info.is_resource:
        return None
    reference = {
        "resource": info.resource,
        "namespace": info.namespace,
        "name": info.name,
        "apiGroup": info.group,
        "apiVersion": info.version,
        "subresource": info.subresource,
    }
    return {key: value for key, value in reference.items() if value}


class Wire:
    """One connection that sends request lines as they are."""

    def __init__(self, plane: ControlPlane) -> None:
        trust = ssl.create_default_context(cadata=plane.ca_pem)
        self._plane = plane
        self._socket = trust.wrap_socket(
            socket.create_connection(("127.0.0.1", plane.port), timeout=30),
            server_hostname="127.0.0.1",
        )

    def send(self, line: RequestLine, audit_id: str, *fields: str) -> int:
        head = [
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self._plane.tokens['nobody']}",
            f"Audit-ID: {audit_id}",
            "Content-Length: 0",
            *fields,
        ]
        request_line = line.method.encode() + b" " + line.target + b" HTTP/1.1\r\n"
        self._socket.sendall(request_line + "\r\n".join([*head, "", ""]).encode())
        response = HTTPResponse(self._socket, method=line.method)
        response.begin()
        response.read()
        return response.status

    def close(self) -> None:
        self._socket.close()


def seen(event: RawEvent) -> tuple[str, Any]:
    return event["verb"], event.get("objectRef")


def test_corpus_equals_the_audit_log(control_plane: ControlPlane) -> None:
    wire = Wire(control_plane)
    found = {}
    codes = Counter[int]()
    early = set()
    for index, (line, info) in enumerate(accepted_ones(generate(3, CORPUS, odd=0.2))):
        audit_id = f"oracle-{index}"
        found[audit_id] = line, info
        code = wire.send(line, audit_id)
        codes[code] += 1
        # An impossible `timeout` is refused, and audited, before the call is complete.
        if code == 400:
            early.add(audit_id)
    wire.close()
    events = control_plane.audit.wait_for(found.keys() - early)
    events |= control_plane.audit.wait_for(early, stage="ResponseStarted")
    different = [
        (line, object_reference(info), info.verb, seen(events[audit_id]))
        for audit_id, (line, info) in found.items()
        if (info.verb, object_reference(info)) != seen(events[audit_id])
    ]
    assert different[:5] == []
    sys.stdout.write(f"{len(found)} of {CORPUS} accepted and equal; codes {dict(codes)}\n")
    assert len(found) > CORPUS * 0.7
    assert codes[403] > CORPUS * 0.6
    assert codes.keys() <= {200, 400, 403, 404}


def test_a_websocket_exec_is_audited_as_get(control_plane: ControlPlane) -> None:
    """Why decisions read `judged_verb` and not `verb`."""
    line = RequestLine("GET", b"/api/v1/namespaces/default/pods/p/exec?command=sh&container=app")
    wire = Wire(control_plane)
    code = wire.send(
        line,
        "oracle-exec",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: v5.channel.k8s.io",
    )
    wire.close()
    event = control_plane.audit.wait_for(["oracle-exec"])["oracle-exec"]
    ((_, info),) = accepted_ones([line])
    assert code == 403
    assert seen(event) == (info.verb, object_reference(info)) == ("get", object_reference(info))
    assert info.judged_verb == "create"
