"""The controller's process when one of its own threads fails: it ends, and says so."""

import asyncio
import json
import logging
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.controller.scene import Home
from tests.controlplane.certificates import Authority
from tests.controlplane.control_plane import choose_port
from webhook.controller.engine.part import Part
from webhook.controller.engine.process import EXIT_FAULT, serve
from webhook.controller.engine.settings import ControllerSettings
from webhook.kube import open_kubeconfig


class Certificate:
    """One that nobody renews."""

    lacks = ""

    def __init__(self, folder: Path) -> None:
        pair = Authority(folder, "process-ca").issue_server("process", ["127.0.0.1"])
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.certificate, pair.key)

    async def keep(
        self, ending: asyncio.Event, _registry: CollectorRegistry, say_lacks: Callable[[str], None]
    ) -> None:
        say_lacks("")
        await ending.wait()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What a process does to itself is undone."""
    interval, handlers = sys.getswitchinterval(), list(logging.getLogger().handlers)
    yield
    sys.setswitchinterval(interval)
    logging.getLogger().handlers[:] = handlers


async def test_a_fault_of_who_leads_ends_the_process(
    home: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A replica that never leads again, and says that all is well, would be waited for."""
    home.plane.create_namespace("process")
    settings = ControllerSettings(
        host="127.0.0.1", port=choose_port(), namespace="process", identity="one", drain_s=0
    )

    def find() -> bool:
        raise LookupError("a secret")

    part = Part("odd", lambda _: None, found=find)
    kube = open_kubeconfig(path=str(home.plane.admin_kubeconfig()))
    async with asyncio.timeout(60):
        code = await serve(kube, settings, Certificate(tmp_path), lambda _: [part], lambda *_: None)
    assert code == EXIT_FAULT
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    told = {event["event"]: event for event in events}
    assert told["thread_ended"]["thread"] == "lead"
    assert told["thread_ended"]["problem"].startswith("LookupError at test_process.py:")
    assert "lease_released" in told, "another replica leads at once"
