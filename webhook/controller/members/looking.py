"""Owns the course of one look at a member: judge, ask, write the status, come back.

Must not judge by itself, nor compile anything: what others may do with a member they read in its
status.
"""

import calendar
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from webhook.controller.access.opening import Bearer, Login, locate, open_member
from webhook.controller.engine.world import Kept
from webhook.controller.members.acceptance import Held, Neighbourhood, judge, may_prove
from webhook.controller.members.credentials import MemberAccess
from webhook.controller.members.probing import Failed, fetch_guards, fetch_mark, judge_guards, probe
from webhook.controller.members.standing import (
    Standing,
    begin,
    describe_acceptance,
    is_written,
    list_conditions,
    note_guards,
    note_probe,
    render_facts,
)
from webhook.enforcement.guarded import Stored
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.clusters import ACCEPTED, Cluster
from webhook.resources.conditions import Condition, apply_status, now_text
from webhook.resources.meta import Invalid, Meta, mapping
from webhook.resources.names import object_path

MANAGER: Final = "mca-controller-clusters"
_CALL_S: Final = 10.0
_AFTER_FAILURE_S: Final = 5.0
_DOUBLINGS: Final = 10
# Guards are looked at with every second probe: it takes three calls.
_GUARDS_EVERY: Final = 2
# An API server's audiences change when it starts again, if ever.
_PROOF_S: Final = 3600.0
_SPREAD: Final = random.Random()  # noqa: S311 - spreads probes, keeps no secret


@dataclass(slots=True)
class Looking:
    """All of one home's. `find` reads the store, `surround` what a Cluster is judged beside."""

    writer: Kube
    access: MemberAccess
    find: Callable[[str], Kept[Cluster | Invalid] | None]
    surround: Callable[[Cluster], Neighbourhood]
    probe_s: float
    tell: Callable[[Meta, tuple[Condition, ...], RawDocument], None]
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _standings: dict[str, Standing] = field(default_factory=dict)
    _term: int = 0

    def begin_term(self) -> None:
        """Others have looked since: each standing begins with what they have written.

        It is put away by the worker whose turn its Cluster is, which alone may use it.
        """
        self._term += 1
        for name in list(self._standings):
            if self.find(name) is None:  # it went while another led
                self._forget(name)

    def reconcile(self, name: str) -> float | None:
        """Look at one member; after how many seconds to look again."""
        seen = self.find(name)
        if seen is None or seen.value.meta.deleting:
            self._forget(name)
            return None
        if isinstance(seen.value, Invalid):
            self._forget(name)
            self._refuse(seen.value, seen.document)
            return None
        return self._look(seen.value, seen.document)

    def _forget(self, name: str) -> None:
        standing = self._standings.pop(name, None)
        if standing is not None:
            standing.close()

    def _refuse(self, invalid: Invalid, document: RawDocument) -> None:
        generation = invalid.meta.generation
        told = "; ".join(invalid.problems)
        refused = (Condition(ACCEPTED, False, "Invalid", told, generation),)
        facts: RawDocument = {"observedGeneration": generation}
        if not is_written(refused, facts, document, 0.0):
            self._write(invalid.meta, refused, facts, document)

    def _look(self, cluster: Cluster, document: RawDocument) -> float:
        mark = (cluster.meta.uid, cluster.meta.generation)
        standing = self._standings.get(cluster.name)
        if standing is None or (standing.mark, standing.term) != (mark, self._term):
            self._forget(cluster.name)
            standing = self._standings[cluster.name] = begin(cluster, document)
            standing.term = self._term
        accepted = self._judge(cluster, standing, document)
        if accepted.status is not True:
            standing.ready = standing.enforced = None
            standing.guards_mark = ()
            standing.close()
            self._settle(cluster, standing, accepted, document)
            return self._pause(_AFTER_FAILURE_S if accepted.status is None else self.probe_s)
        if not cluster.accepted:
            # Others wait for this, and asking a member may take its time.
            document = self._settle(cluster, standing, accepted, document)
        left = standing.probe_due - self.clock()
        if left > 0:
            self._settle(cluster, standing, accepted, document)
            return left
        self._ask(cluster, standing)
        pause = self._pause(self.probe_s)
        if standing.failures:  # soon at first, then as any other
            pause = self._pause(_AFTER_FAILURE_S * 2 ** min(standing.failures - 1, _DOUBLINGS))
        standing.probe_due = self.clock() + pause
        self._settle(cluster, standing, accepted, document)
        return pause

    def _judge(self, cluster: Cluster, standing: Standing, document: RawDocument) -> Condition:
        around = self.surround(cluster)
        now = self.clock()
        if may_prove(cluster, around):
            if (
                standing.proof is None
                or standing.proof.opens is None
                or now > standing.proven_until
            ):
                standing.proof = self.access.prove(cluster.audience)
                standing.proven_until = now + _PROOF_S
        elif cluster.secret:
            standing.held = self._hold(cluster)
        verdict = judge(cluster, around, standing.proof, standing.held)
        return describe_acceptance(cluster, verdict, document)

    def _hold(self, cluster: Cluster) -> Held | None:
        try:
            return self.access.read_held(cluster)
        except KubeError:
            return None

    def _ask(self, cluster: Cluster, standing: Standing) -> None:
        try:
            kube = self._open(cluster, standing)
        except KubeError as error:
            note_probe(standing, Failed("CredentialUnusable", str(error)), self.wall())
            return
        note_probe(standing, probe(kube), self.wall())
        if not standing.failures and self.clock() >= standing.guards_due:
            _look_at_guards(kube, standing)
            standing.guards_due = self.clock() + _GUARDS_EVERY * self.probe_s

    def _open(self, cluster: Cluster, standing: Standing) -> Kube:
        """The connection of before, as long as the same is shown."""
        login = self._find_login(cluster, standing)
        if standing.kube is None or standing.login != login:
            standing.close()
            standing.kube, standing.login = open_member(locate(cluster), login), login
        return standing.kube

    def _find_login(self, cluster: Cluster, standing: Standing) -> Login:
        if cluster.audience:
            return Bearer(self.access.issue(cluster.audience))
        if standing.held is None or standing.held.login is None:
            return self.access.find_login(cluster)
        return standing.held.login

    def _settle(
        self, cluster: Cluster, standing: Standing, accepted: Condition, document: RawDocument
    ) -> RawDocument:
        """Write what is not said yet; the object as it is then."""
        conditions = list_conditions(standing, accepted, document)
        facts = render_facts(cluster, standing)
        age = self.wall() - _read_time(document) if standing.probed_at else 0.0
        if is_written(conditions, facts, document, age):
            return document
        return self._write(cluster.meta, conditions, facts, document)

    def _write(
        self,
        meta: Meta,
        conditions: tuple[Condition, ...],
        facts: RawDocument,
        document: RawDocument,
    ) -> RawDocument:
        body = apply_status("Cluster", meta, conditions, document, now_text(self.wall()), **facts)
        path = f"{object_path('Cluster', meta.name)}/status"
        answer = self.writer.apply(path, body, MANAGER)
        self.tell(meta, conditions, document)
        return answer.document

    def _pause(self, seconds: float) -> float:
        """Members are not all asked at once."""
        return min(seconds, self.probe_s) * _SPREAD.uniform(0.9, 1.1)


def _look_at_guards(kube: Kube, standing: Standing) -> None:
    mark = fetch_mark(kube)
    known = standing.enforced is not None and standing.enforced.reason != "GuardsForbidden"
    if mark == standing.guards_mark and known:
        return
    if isinstance(mark, Failed):
        note_guards(standing, mark)
        return
    found = fetch_guards(kube)
    note_guards(standing, judge_guards(found) if isinstance(found, Stored) else found)
    standing.guards_mark = mark if isinstance(found, Stored) else ()


def _read_time(document: RawDocument) -> float:
    """When the stored status was last written after a look; 0 if never."""
    told = mapping(document.get("status")).get("lastProbeTime")
    try:
        return float(calendar.timegm(time.strptime(str(told), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return 0.0
