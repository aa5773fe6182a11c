"""Owns the second half of the start: what needs the heavy imports, up to the running loop.

Must not be imported before the identity's child was forked.
"""

import asyncio
import signal
import socket
import sys

from sidecar.config import EXIT_BIND, EXIT_CONFIG, Settings, format_errors
from sidecar.identity import Minting, finish, write_clients
from sidecar.listener import BindError, bind_all
from sidecar.log import log_event, set_level
from sidecar.reactor import Reactor
from sidecar.server import Server
from sidecar.snapshot_file import SnapshotFile, own_namespace

_ENDING = (signal.SIGTERM, signal.SIGINT)


def run(settings: Settings, minting: Minting | None) -> int:
    """Bring the sidecar up and run it to its end; the exit code."""
    set_level(settings.log_level)
    for variable in settings.unknown:
        log_event("warning", "unknown_variable", variable=variable)
    source = SnapshotFile(settings)
    if source.hopeless:
        sys.stderr.write(format_errors(source.errors))
        return EXIT_CONFIG
    identity = finish(settings, minting)
    write_clients(settings, identity, own_namespace(settings, source.snapshot))
    try:
        api = bind_all(settings.api_listen, "MCA_API_LISTEN")
        admin = bind_all(settings.admin_listen, "MCA_ADMIN_LISTEN")
    except BindError as failure:
        sys.stderr.write(format_errors((str(failure),)))
        return EXIT_BIND
    reactor = Reactor()
    try:
        reactor.loop.run_until_complete(
            _serve(Server(settings, identity, source, reactor), api, admin)
        )
    finally:
        # The loop takes its handlers away: one signal more would have the process die of it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        reactor.loop.close()
    return 0


async def _serve(server: Server, api: list[socket.socket], admin: list[socket.socket]) -> None:
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, server.drain)
    await server.serve(api, admin)
