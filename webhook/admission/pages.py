"""Owns what the webhook answers over HTTP: reviews, its health, its metrics.

Must not look into a review: review.py answers it. Must not open a port: server.py does. A flood of
one namespace must not hold back another's pods (attack 79), nor a stranger the API server's: what
is held of each has a limit, what is done for them takes turns, and what would take long leaves the
loop.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import ClientError, StreamReader, web

from webhook.admission.envelope import START_BYTES, read_envelope
from webhook.admission.provision import MemberSource
from webhook.admission.registration import MODES, find_path
from webhook.admission.review import Reviewed, refuse_busy, review
from webhook.admission.room import Place, Room
from webhook.admission.settings import InjectionSettings
from webhook.admission.tally import Tally
from webhook.serving.connections import Handler
from webhook.serving.turns import Turns

# The API server's own limit for a request is 3 MiB; a review holds one object and little else.
MAX_BODY_BYTES: Final = 3 << 20
# The API server gives up after 5 s, and sends what it has in an instant.
_BODY_DEADLINE_S: Final = 3.0
_ANSWER_DEADLINE_S: Final = 5.0
# Bodies, and for each what its connection costs.
_ROOM_BYTES: Final = 64 << 20
_OVERHEAD_BYTES: Final = 64 << 10
_PIECE_BYTES: Final = 64 << 10
_JSON: Final = "application/json"
# 3 ms of work. What is larger has a thread, so that nothing else waits for it.
_LIGHT_BYTES: Final = 64 << 10
# In one round of the loop: a round for each would cost every review a tenth more.
_LIGHT_AT_ONCE: Final = 8


class Webhook:
    """What it answers. /readyz says that it ends (`draining`), or what it `lacks` to begin."""

    def __init__(self, settings: InjectionSettings, members: MemberSource) -> None:
        self._settings = settings
        self._members = members
        self.tally = Tally()
        self._room = Room(_ROOM_BYTES)
        self._light, self._heavy = Turns(_LIGHT_AT_ONCE), Turns()
        self.draining = False
        self.lacks = ""

    def build(self) -> web.Application:
        """The application with all its pages."""
        app = web.Application()
        for mode in MODES:
            app.router.add_post(find_path(mode), self._make_reviewer(mode))
        app.router.add_get("/livez", self._tell_alive)
        app.router.add_get("/readyz", self._tell_ready)
        app.router.add_get("/metrics", self._tell_metrics)
        return app

    def _make_reviewer(self, mode: str) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            body, content, peer = bytearray(), request.content, request.remote or ""
            place, reviewed, seconds = None, None, 0.0
            try:
                with _impatience(content):
                    await _read_until(content, body, START_BYTES)
                    envelope = read_envelope(body)
                    place = self._room.enter(peer, envelope.namespace)
                    fits = place.grow(_OVERHEAD_BYTES + len(body))
                    fits = fits and await _read_rest(content, body, place)
                if fits:
                    began = time.perf_counter()
                    reviewed = await self._review(mode, peer, envelope.namespace, body)
                    seconds = time.perf_counter() - began
                    if not place.grow(len(reviewed.body)):
                        reviewed = None
                reviewed = reviewed or refuse_busy(*envelope)
                self.tally.count(mode, reviewed.result, reviewed.code, seconds)
                if len(reviewed.body) > _PIECE_BYTES:
                    return await self._send_large(request, reviewed.body)
            finally:
                if place is not None:
                    place.leave()
                body.clear()  # a traceback may keep the frame that holds it
            response = web.Response(body=reviewed.body, content_type=_JSON)
            if self.draining:
                response.force_close()  # the next call of this client goes to another replica
            return response

        return answer

    async def _send_large(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Write it in pieces, while its room is taken; who does not read is cut off.

        At once, all of it would be in asyncio's hands: TLS takes whatever it is given.
        """
        response = web.StreamResponse(headers={"Content-Type": _JSON})
        response.content_length = len(body)
        if self.draining:
            response.force_close()
        transport = request.transport
        try:
            async with asyncio.timeout(_ANSWER_DEADLINE_S):
                await response.prepare(request)
                if transport is not None:
                    transport.set_write_buffer_limits(high=_PIECE_BYTES)
                for start in range(0, len(body), _PIECE_BYTES):
                    await response.write(body[start : start + _PIECE_BYTES])
                await response.write_eof()
        except (TimeoutError, ClientError, OSError):
            if transport is not None:
                transport.abort()
        return response

    async def _review(self, mode: str, peer: str, sender: str, body: bytearray) -> Reviewed:
        if len(body) <= _LIGHT_BYTES:
            await self._light.begin(peer, sender)
            try:
                return review(body, MODES[mode], self._settings, self._members.find)
            finally:
                self._light.end()
        async with self._heavy.take(peer, sender):
            found = (MODES[mode], self._settings, self._members.find)
            return await asyncio.to_thread(review, body, *found)

    async def _tell_alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _tell_ready(self, _: web.Request) -> web.Response:
        if self.draining:
            return web.Response(text="it is ending\n", status=503)
        if lacks := self.lacks or self._members.lacks:
            return web.Response(text=f"{lacks}\n", status=503)
        return web.Response(text="ok\n")

    async def _tell_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.tally.render(), content_type="text/plain")


async def _read_until(content: StreamReader, body: bytearray, size: int) -> None:
    """Add to `body` until it has this size, or all there is."""
    if content.is_eof():  # nothing more is to come: most reviews arrive in one piece
        body += content.read_nowait()
        return
    while len(body) < size and (chunk := await content.readany()):
        body += chunk


async def _read_rest(content: StreamReader, body: bytearray, place: Place) -> bool:
    """Whether there was room for all of it. What is declared does not count: it may never come."""
    while not content.at_eof() and (chunk := await content.readany()):
        if len(body) + len(chunk) > MAX_BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, len(body) + len(chunk))
        if not place.grow(len(chunk)):
            return False
        body += chunk
    return True


@contextmanager
def _impatience(content: StreamReader) -> Iterator[None]:
    """For a body that does not come, or whose sender has gone."""
    # One timer for all of it: `asyncio.timeout` around each wait cost a review a twentieth.
    late = asyncio.get_running_loop().call_later(
        _BODY_DEADLINE_S, content.set_exception, TimeoutError()
    )
    try:
        yield
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body did not come in time\n") from None
    except (ClientError, web.RequestPayloadError, OSError):
        raise web.HTTPBadRequest(text="the body broke off\n") from None
    finally:
        late.cancel()
