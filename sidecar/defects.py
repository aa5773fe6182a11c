"""Owns what becomes of a call when code of ours fails in the midst of it: it is answered, not left.

The reactor gives up the socket that woke; where a call goes on from a timer, a thread or another
call's end, its own client would wait for ever. Must not hide a defect: each is logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec

from sidecar.log import log_event
from sidecar.policy.verdict import Reason

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sidecar.exchange import Exchange
    from sidecar.stream import TlsStream

P = ParamSpec("P")


def guard(exchange: Exchange, work: Callable[P, None]) -> Callable[P, None]:
    """The same work; if it fails, the call is ended with a 500, or cut."""

    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            work(*args, **kwargs)
        except Exception as failure:  # noqa: BLE001 - one call's defect must not end the others
            fail(exchange, failure)

    return guarded


def fail(exchange: Exchange, failure: Exception) -> None:
    """End a call that met a defect."""
    _tell("call_failed", failure, exchange.ident.decode("ascii"))
    message = "the sidecar failed; its log says more, by the id of this call"
    exchange.fail(Reason.INTERNAL_ERROR, "internal/defect", message)


def guard_stream(stream: TlsStream, work: Callable[P, None]) -> Callable[P, None]:
    """The same work, of a connection without a call; if it fails, the connection is given up."""

    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            work(*args, **kwargs)
        except Exception as failure:  # noqa: BLE001 - as above
            _tell("connection_failed", failure)
            stream.give_up()

    return guarded


def on_loop_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A callback that nobody guards has failed: a line in the log, not a trace on stderr."""
    _tell("callback_failed", context.get("exception"))


def _tell(event: str, failure: BaseException | None, ident: str | None = None) -> None:
    """Where it failed, and how; no text of the failure, which may hold anything."""
    trace = failure.__traceback__ if failure is not None else None
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    log_event("error", event, error=type(failure).__name__, id=ident, place=place)
