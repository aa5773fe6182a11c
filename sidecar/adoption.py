"""Owns how a snapshot comes into use: read and compiled beside the calls, adopted between two.

Must not judge what a snapshot says, nor decide: sidecar.policy does. A thread reads and compiles,
with the interpreter's lock changing hands every half millisecond: a thousand rules take 18 ms, of
which a call waits 2 (the JSON is read in one go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.executor import import_more
from sidecar.member import Member
from sidecar.policy.decide import Policy, compile_policy
from sidecar.policy.snapshot import HOME
from sidecar.tasks import aside, spawn

if TYPE_CHECKING:
    from sidecar.controlled import Controlled
    from sidecar.policy.snapshot import Snapshot
    from sidecar.server import Server


class Adoption:
    """The members and the policy in use, and how the next ones take their place."""

    def __init__(self, server: Server) -> None:
        self.members: dict[str, Member] = {}
        self.leaving: list[Member] = []  # replaced, with calls under way
        self._server = server
        self._source = server.source
        self._controlled: Controlled | None = None
        self._compiling = False
        self._offered: tuple[bytes, str] | None = None  # the newest that came while compiling
        self._stale = False  # there is a newer credential than the policy was compiled with
        self._audiences: frozenset[str] | None = None

    def begin(self) -> None:
        """At the start there are no calls to be kept waiting."""
        snapshot = self._source.snapshot
        if self._source.home is not None:
            from sidecar.controlled import Controlled

            self._controlled = Controlled(self._server, self._source.home)
            self.members = {HOME: self._controlled.home}
            self._controlled.begin()
        if snapshot is not None:
            import_more(snapshot)
            members = self._prepare(snapshot)
            self._audiences = _audiences(members)
            self._install(snapshot, members, compile_policy(snapshot, self._audiences))

    def offer(self, content: bytes, origin: str = "") -> None:
        """A snapshot has come; of those that come while one is compiled, the last one counts."""
        if self._compiling:
            self._offered = (content, origin)
        else:
            self._compiling = True
            spawn(self._adopt(content, origin), "adoption")

    def poll(self, now: float) -> None:
        """Look for a new snapshot, and for new credentials."""
        if self._controlled is not None:
            self._controlled.poll(now)
        newer = [member.poll(now) for member in self.members.values()]
        self._stale = self._stale or any(newer)
        if self._compiling:
            return
        content = self._source.poll(now)
        if content is not None:
            self.offer(content)
        elif self._stale:
            self._compiling = True
            spawn(self._renew(), "renewal")

    def sweep(self, now: float) -> None:
        """Look at the deadlines of members' connections."""
        if self._controlled is not None:
            self._controlled.sweep(now)
        for member in (*self.members.values(), *self.leaving):
            member.sweep(now)
        self.leaving = [member for member in self.leaving if member.connections]

    def close_down(self) -> None:
        """The process ends."""
        if self._controlled is not None:
            self._controlled.close_down()
        for member in (*self.members.values(), *self.leaving):
            member.close_down()

    async def _adopt(self, content: bytes, origin: str) -> None:
        try:
            loaded = await aside(lambda: self._source.parse(content, origin))
            snapshot = self._source.judge(loaded)
            if snapshot is None:
                return
            await aside(lambda: import_more(snapshot))
            members = self._prepare(snapshot)
            audiences = _audiences(members)
            policy = await aside(lambda: compile_policy(snapshot, audiences))
            self._audiences = audiences
            self._stale = True  # a credential may have come meanwhile
            self._source.take(snapshot)
            self._install(snapshot, members, policy)
        finally:
            self._finish()

    def _finish(self) -> None:
        """What is compiled is in use, or was no good: what came meanwhile is next."""
        self._compiling = False
        offered, self._offered = self._offered, None
        if offered is not None:
            self.offer(*offered)

    def _prepare(self, snapshot: Snapshot) -> dict[str, Member]:
        """Members for its clusters: those in use, where they are the same servers still."""
        server = self._server
        controlled = self._controlled
        if controlled is not None:
            controlled.adopt(snapshot)
        members = {}
        for cluster in snapshot.clusters:
            member = self.members.get(cluster.name)
            if member is None or not member.is_at(cluster):
                containers = len(server.settings.containers)
                credential = controlled.open_credential(cluster) if controlled else None
                member = Member(
                    cluster, server.limits, server.metrics, server.reactor, containers, credential
                )
            member.changed = self._end_misplaced
            members[cluster.name] = member
        return members

    def _install(self, snapshot: Snapshot, members: dict[str, Member], policy: Policy) -> None:
        """Decide by this snapshot from the next request on."""
        server = self._server
        gone = [member for name, member in self.members.items() if members.get(name) is not member]
        self.members = members
        for cluster in snapshot.clusters:
            members[cluster.name].adopt(cluster)
        server.limiter.adopt(snapshot.tenant.limits if snapshot.tenant is not None else None)
        server.kinds.adopt(members)
        server.executor.adopt(snapshot, members)
        server.failover.adopt(snapshot, members)
        server.gate.adopt(policy, members)
        for member in gone:
            member.retire()
        if gone:
            self.leaving += gone
            server.readmission.leave_members(server.clients, gone)
        server.readmission.review(server.clients)

    async def _renew(self) -> None:
        """There is a newer credential: it may open the API server for other audiences."""
        try:
            self._stale = False
            snapshot, policy = self._source.snapshot, self._server.gate.policy
            if snapshot is None or policy is None:
                return
            audiences = _audiences(self.members)
            if audiences != self._audiences:
                policy = await aside(lambda: compile_policy(snapshot, audiences))
                self._audiences = audiences
            self._server.gate.adopt(policy, self.members)
        finally:
            self._finish()

    def _end_misplaced(self) -> None:
        self._server.readmission.end_misplaced(self._server.clients)


def _audiences(members: dict[str, Member]) -> frozenset[str] | None:
    """Those that open an API server, as far as every credential tells; None if one does not."""
    known = [member.credential.api_audiences() for member in members.values()]
    told = [audiences for audiences in known if audiences is not None]
    return frozenset().union(*told) if len(told) == len(known) else None
