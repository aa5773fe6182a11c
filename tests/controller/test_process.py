"""The controller's process when one of its own threads fails: it ends, and says so."""

import json
import os
import subprocess
import sys

from tests.controller.scene import Home
from tests.controlplane.control_plane import choose_port
from tests.sidecar_process import ROOT
from webhook.controller.engine.process import EXIT_FAULT

# With a part of which it cannot be asked what it has found.
FAULTY = """\
import asyncio, sys
from webhook.certificates.file_certificate import FileCertificate
from webhook.controller.engine.part import Part
from webhook.controller.engine.process import serve
from webhook.controller.engine.settings import ControllerSettings
from webhook.kube import open_kubeconfig

def find():
    raise LookupError("a secret")

kubeconfig, port, certificate, key = sys.argv[1:]
files = FileCertificate(certificate, key)
assert files.load() == ""
settings = ControllerSettings(
    host="127.0.0.1", port=int(port), namespace="process", identity="one", drain_s=0
)
part = Part("odd", lambda key: None, found=find)
kube = open_kubeconfig(path=kubeconfig)
sys.exit(asyncio.run(serve(kube, settings, files, lambda world: [part], lambda *_: None)))
"""


def test_a_fault_of_who_leads_ends_the_process(home: Home) -> None:
    """A replica that never leads again, and says that all is well, would be waited for."""
    home.plane.create_namespace("process")
    pair = home.serving
    done = subprocess.run(
        [
            sys.executable, "-c", FAULTY, home.plane.admin_kubeconfig(), str(choose_port()),
            pair.certificate, pair.key,
        ],
        env=dict(os.environ), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == EXIT_FAULT, done.stderr
    told = {event["event"]: event for event in map(json.loads, done.stdout.splitlines())}
    assert told["thread_ended"]["thread"] == "lead"
    assert told["thread_ended"]["problem"] == "LookupError at <string>:9"
    assert "lease_released" in told, "another replica leads at once"
    assert "secret" not in done.stdout + done.stderr
