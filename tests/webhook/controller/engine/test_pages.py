"""What the controller tells of itself, to probes and scrapes."""

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Gauge

from webhook.controller.engine.pages import Pages


async def ask(pages: Pages, path: str) -> tuple[int, str]:
    application = web.Application()
    pages.add_to(application)
    async with TestClient(TestServer(application)) as client:
        response = await client.get(path)
        return response.status, await response.text()


async def test_ready_when_it_has_read_everything_and_has_a_certificate() -> None:
    unread = ["clusters", "routes"]
    pages = Pages(CollectorRegistry(), lambda: tuple(unread))
    pages.lacks = "no certificate"
    assert await ask(pages, "/readyz") == (503, "no certificate; not read yet: clusters, routes")
    pages.lacks = ""
    assert await ask(pages, "/readyz") == (503, "not read yet: clusters, routes")
    unread.clear()
    assert await ask(pages, "/readyz") == (200, "ok")
    pages.draining = True
    assert await ask(pages, "/readyz") == (503, "ending")
    assert await ask(pages, "/livez") == (200, "ok")


async def test_metrics() -> None:
    registry = CollectorRegistry()
    Gauge("mca_controller_x", "An x", registry=registry).set(2)
    status, text = await ask(Pages(registry, tuple), "/metrics")
    assert status == 200
    assert "mca_controller_x 2.0" in text
