"""One call of the API over HTTP, and one run of kubectl: what every harness here is asked for.

Must not know whom it calls: an address, what to trust and a credential are given.
"""

import http.client
import json
import os
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.controlplane.binaries import find_binary


class Answer(NamedTuple):
    """What was answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


def send_call(
    address: tuple[str, int],
    trust: ssl.SSLContext,
    bearer: str,
    call: tuple[str, str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
) -> Answer:
    """Send (method, path, body) on a connection of its own; a body that is no bytes is JSON."""
    method, path, body = call
    sent = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    connection = http.client.HTTPSConnection(*address, context=trust, timeout=timeout_s)
    try:
        connection.request(method, path, body=body, headers=sent | dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def run_kubectl(
    kubeconfig: Path,
    home: Path,
    arguments: Sequence[str],
    *,
    text: str | None = None,
    check: bool = True,
    timeout_s: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """Run kubectl 1.36 with `text` as its input; an error shows what it printed."""
    done = subprocess.run(
        [str(find_binary("kubectl")), *arguments],
        input=text,
        env={
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(home),
            "PATH": os.environ.get("PATH", ""),
        },
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if check and done.returncode != 0:
        shown = f"{done.stdout}{done.stderr}"
        raise RuntimeError(f"kubectl {' '.join(arguments)}: code {done.returncode}: {shown}")
    return done
