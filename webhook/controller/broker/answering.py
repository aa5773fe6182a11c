"""Owns what the broker answers over HTTP, and in which order a call is looked at.

Whatever goes wrong is a refusal. Must not decide who may have what: grants.py does. Must not wait
for anybody on the loop: reads at home and calls to members have threads.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import ClientError, web

from sidecar.policy.fields import DNS_LABEL
from webhook.controller.broker.bearer import read_token
from webhook.controller.broker.crowd import Crowd
from webhook.controller.broker.granting import Granting
from webhook.controller.broker.issuing import Issuing
from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.reports import Reports, read_report
from webhook.controller.broker.reviews import GOOD_S, Identity, Reviews
from webhook.controller.broker.tally import BrokerTally
from webhook.kube import KubeError
from webhook.serving.faults import locate_fault
from webhook.serving.rates import Rates

_MAX_BODY: Final = 1024
_BODY_S: Final = 3.0
_JSON: Final = "application/json"

Answer = tuple[int, bytes]
Page = Callable[[web.Request, Identity, bytes], Awaitable[Answer]]


class Limits:
    """How often: an address whose tokens have to be judged, a pod, a namespace."""

    def __init__(self) -> None:
        self.peer = Rates(20, 100)
        self.pod = Rates(1, 300)
        self.namespace = Rates(100, 2000)


class Answering:
    """POST /v1/credentials/<cluster> and POST /v1/reports."""

    def __init__(
        self,
        reviews: Reviews,
        granting: Granting,
        issuing: Issuing,
        reports: Reports,
        has_snapshot: Callable[[str], bool],
        tally: BrokerTally,
    ) -> None:
        self._reviews = reviews
        self._granting = granting
        self._issuing = issuing
        self._reports = reports
        self._has_snapshot = has_snapshot
        self._tally = tally
        self._crowd = Crowd()
        self._limits = Limits()

    def mount(self, application: web.Application) -> None:
        """Add them, and say of all else below /v1 that it is none."""
        router = application.router
        router.add_post("/v1/credentials/{cluster}", self._make("credentials", self._issue))
        # A report decides nothing: for that a token counts to its end, and nobody is asked again.
        router.add_post("/v1/reports", self._make("reports", self._hear, math.inf))
        router.add_route("*", "/v1{rest:(/.*)?}", self._make("none", _refuse_path))

    def _make(
        self, name: str, page: Page, good_s: float = GOOD_S
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            began = time.perf_counter()
            identity: Identity | None = None
            try:
                identity, body = await self._admit(request, good_s)
                code, content = await page(request, identity, body)
            except RefusedError as error:
                refused = error
            except KubeError as error:
                told = f"{error.status} {error.message[:300]}"
                refused = RefusedError("home", "the API server of home cannot be asked", told)
            except Exception as error:  # noqa: BLE001 - here errors become answers
                refused = RefusedError("defect", "that is a defect", locate_fault(error))
            else:
                self._tally.count(name, "ok", time.perf_counter() - began)
                return _respond(code, content, 0)
            self._tally.count(name, refused.rule, time.perf_counter() - began)
            self._tally.tell_refused(name, refused, identity.namespace if identity else "")
            return _respond(refused.code, refused.render(), refused.retry_s)

        return answer

    async def _admit(self, request: web.Request, good_s: float) -> tuple[Identity, bytes]:
        """Who asks: nothing else is said to who has not proven it."""
        peer = request.remote or ""
        token = read_token(request.headers.getall("Authorization", ()))
        body = await _read_body(request)
        if not self._reviews.knows(token):
            _limit(self._limits.peer, peer)
        async with self._crowd.enter(peer):
            identity = await self._reviews.authenticate(token, good_s)
        _limit(self._limits.pod, identity.pod_uid)
        _limit(self._limits.namespace, identity.namespace)
        return identity, body

    async def _issue(self, request: web.Request, identity: Identity, _: bytes) -> Answer:
        name = request.match_info["cluster"]
        if DNS_LABEL.fullmatch(name) is None:
            raise RefusedError("path", "that is no name of a Cluster")
        async with self._crowd.enter(request.remote or ""):
            tenant, cluster = await self._granting.grant(identity, name)
        issued = await self._issuing.issue(identity, tenant, cluster)
        document = issued.render(cluster, time.time())
        self._tally.tell_issued(identity, name, issued.form, document["secondsLeft"])
        return 200, json.dumps(document).encode()

    async def _hear(self, _: web.Request, identity: Identity, body: bytes) -> Answer:
        report = read_report(body)
        if not self._has_snapshot(identity.namespace):
            raise RefusedError("not-ready", "the namespace has no snapshot")
        # Whoever forges one miscounts his own pods.
        pace = self._reports.take(identity, report)
        told = {"againSeconds": pace.again_s, "spreadSeconds": pace.spread_s}
        return 200, json.dumps(told).encode()


async def _refuse_path(request: web.Request, *_: object) -> Answer:
    raise RefusedError("path", "there is nothing here")


def _limit(rates: Rates, who: str) -> None:
    wait_s = rates.take(who)
    if wait_s:
        raise RefusedError("busy", "too many calls: come again later", retry_s=wait_s)


async def _read_body(request: web.Request) -> bytes:
    """All of it; what is declared does not count, nor how slowly it comes."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > _MAX_BODY:
                    raise RefusedError("too-large", f"the body has more than {_MAX_BODY} bytes")
    except TimeoutError:
        raise RefusedError("slow", "the body did not come in time") from None
    except (ClientError, web.RequestPayloadError, OSError):
        raise RefusedError("body", "the body broke off") from None
    return bytes(body)


def _respond(code: int, content: bytes, retry_s: float) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if retry_s:
        headers["Retry-After"] = str(int(retry_s))
    response = web.Response(status=code, body=content, headers=headers, content_type=_JSON)
    # Sidecars ask rarely: a connection that is kept would be one that others lack.
    response.force_close()
    return response
