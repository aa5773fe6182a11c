"""Somebody else's mutating webhook, which comes after ours and changes what ours made.

Owns its server. Must not know what is done about it.
"""

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.controlplane.certificates import Authority


class Meddler:
    """Answers every review with the JSON Patch in `operations`; called last, as often as can be."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority(folder, "meddler-ca")
        pair = self._authority.issue_server("meddler", ["127.0.0.1"])
        self.operations: list[dict[str, Any]] = []
        meddler = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                answer = json.dumps(meddler.answer(json.loads(content))).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, review: dict[str, Any]) -> dict[str, Any]:
        pod = review["request"]["object"]
        operations = [each for each in self.operations if not is_done(each, pod)]
        patch = base64.b64encode(json.dumps(operations).encode()).decode()
        response = {
            "uid": review["request"]["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": patch,
        }
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"} | {
            "response": response
        }

    def registration(self) -> dict[str, Any]:
        """Its name puts it behind ours; it is asked again whenever the pod was changed after it."""
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["pods"],
        }
        ca_bundle = base64.b64encode(self._authority.pem.encode()).decode()
        return {
            "metadata": {"name": "zz-meddler"},
            "webhooks": [
                {
                    "name": "zz.meddler.example.com",
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{self._server.server_port}/",
                        "caBundle": ca_bundle,
                    },
                    "rules": [rule],
                    "failurePolicy": "Fail",
                    "reinvocationPolicy": "IfNeeded",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }


def is_done(operation: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Whether it adds to a list what that has by name: it is asked twice about a pod."""
    *way, last = operation["path"].split("/")[1:]
    if last != "-":
        return False
    target: Any = pod
    for part in way:
        target = target[int(part)] if isinstance(target, list) else target[part]
    return operation["value"]["name"] in [each["name"] for each in target]
