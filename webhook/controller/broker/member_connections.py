"""Owns the connections to members by which tokens are minted, and the threads that wait for them.

Each member has threads of its own, and namespaces take turns there: one that is slow, or means
harm, holds up nobody else. Must not keep a credential longer than its Secret says the same.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from webhook.controller.access.opening import Login, locate, open_member
from webhook.controller.broker.crowd import Crowd
from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.threads import Threads
from webhook.kube import Kube, KubeError
from webhook.resources.clusters import Cluster

T = TypeVar("T")
_THREADS: Final = 3
_OF_A_NAMESPACE: Final = 16
_DEADLINE_S: Final = 12.0
# A member that did not answer is not asked again at once: its callers hear so without waiting.
_REST_S: Final = 5.0


@dataclass(slots=True)
class _Member:
    threads: Threads
    crowd: Crowd = field(default_factory=lambda: Crowd(_THREADS, _OF_A_NAMESPACE))
    key: object = None
    kube: Kube | None = None
    rests_until: float = 0.0


class MemberConnections:
    """By the uid of their Clusters."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, deadline_s: float = _DEADLINE_S
    ) -> None:
        self._clock = clock
        self._deadline_s = deadline_s
        self._members: dict[str, _Member] = {}

    async def ask(
        self,
        cluster: Cluster,
        version: str,
        login: Login,
        namespace: str,
        work: Callable[[Kube], T],
    ) -> T:
        """Do it with a connection by this login, which is the same for as long as its version."""
        member = self._find(cluster)
        self._look_awake(member, cluster)
        async with member.crowd.enter(namespace):
            self._look_awake(member, cluster)
            kube = _open(member, cluster, version, login)
            try:
                async with asyncio.timeout(self._deadline_s):
                    return await member.threads.run(partial(work, kube))
            except (TimeoutError, KubeError) as error:
                member.rests_until = self._clock() + _REST_S
                raise _away(cluster, str(error)) from None

    def keep_only(self, uids: set[str]) -> None:
        """Let go of the others: their Clusters are gone."""
        for uid in set(self._members) - uids:
            member = self._members.pop(uid)
            member.threads.close()
            if member.kube is not None:
                member.kube.close()

    def _find(self, cluster: Cluster) -> _Member:
        found = self._members.get(cluster.meta.uid)
        if found is None:
            found = _Member(Threads(f"member {cluster.name}", _THREADS))
            self._members[cluster.meta.uid] = found
        return found

    def _look_awake(self, member: _Member, cluster: Cluster) -> None:
        if member.rests_until > self._clock():
            raise _away(cluster, "it did not answer a moment ago")


def _open(member: _Member, cluster: Cluster, version: str, login: Login) -> Kube:
    address = locate(cluster)
    key = (address, version)
    if member.kube is not None and member.key == key:
        return member.kube
    try:
        kube = open_member(address, login)
    except KubeError as error:
        message = f"the credentials of the cluster {cluster.name!r} cannot be used"
        raise RefusedError("member", message, error.message) from None
    if member.kube is not None:
        member.kube.close()
    member.key, member.kube = key, kube
    return kube


def _away(cluster: Cluster, told: str) -> RefusedError:
    return RefusedError("member", f"the cluster {cluster.name!r} does not answer", told)
