"""Members of scripted servers, and a reactor to run them on."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from sidecar.config import Limits, Settings, parse_settings
from sidecar.member import Member
from sidecar.metrics import Metrics
from sidecar.policy.snapshot import Cluster, ClusterLimits, HealthCheck, TokenFile
from sidecar.reactor import Reactor
from tests.controlplane.certificates import Authority
from tests.scripted_server import ScriptedServer

LOOPBACK = "127.0.0.1"


class MemberScene:
    """Makes members, turns the loop, and ends what it made."""

    def __init__(self, folder: Path) -> None:
        settings = parse_settings({"MCA_NAMESPACE": "a", "MCA_CONNECT_TIMEOUT": "1"})
        assert isinstance(settings, Settings)
        self.limits: Limits = settings.limits
        self.reactor = Reactor()
        self.metrics = Metrics()
        self._token = folder / "token"
        self._token.write_text("upstream-token")
        self._pem = Authority(folder, "member-ca").pem.encode()
        self._members: list[Member] = []

    def member(
        self,
        server: ScriptedServer | int,
        *,
        name: str = "west",
        health: HealthCheck | None = None,
        limits: ClusterLimits = ClusterLimits(),  # noqa: B008 - a value
        token: bool = True,
    ) -> Member:
        """A member at a scripted server, or at a port of one's own."""
        if isinstance(server, ScriptedServer):
            self._pem = server.authority.pem.encode()
        port = server if isinstance(server, int) else server.port
        path = str(self._token) if token else "/none"
        cluster = Cluster(
            name, f"https://{LOOPBACK}:{port}", LOOPBACK, port, self._pem, None, None,
            TokenFile(path), (), health, limits,
        )  # fmt: skip
        member = Member(cluster, self.limits, self.metrics, self.reactor)
        self._members.append(member)
        return member

    def turn(self, seconds: float = 0.0) -> None:
        self.reactor.loop.run_until_complete(asyncio.sleep(seconds))

    def wait_for(self, met: Callable[[], object], timeout_s: float = 5.0) -> None:
        end = monotonic() + timeout_s
        while not met():
            assert monotonic() < end, "it did not come"
            self.turn(0.002)

    def close(self) -> None:
        for member in self._members:
            member.close_down()
        self.turn()
        self.reactor.loop.close()


def reply(body: bytes, status: bytes = b"200 OK", *lines: bytes) -> bytes:
    """An answer with its length."""
    fields = b"".join(b"%b\r\n" % line for line in lines)
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status, fields, len(body), body,
    )  # fmt: skip
