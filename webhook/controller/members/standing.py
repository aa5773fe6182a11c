"""Owns what is remembered of one member between two looks, and how that reads as a status.

Must not look itself, nor write.
"""

from dataclasses import dataclass
from typing import Final

from webhook.controller.access.opening import Login
from webhook.controller.members.acceptance import Acceptance, Held, Proof
from webhook.controller.members.probing import Answered, Failed, Mark
from webhook.enforcement.guarded import Lack
from webhook.kube import Kube
from webhook.resources.clusters import ACCEPTED, ENFORCED, READY, Cluster
from webhook.resources.conditions import Condition, now_text, read_conditions, same_conditions
from webhook.resources.meta import RawDocument, mapping

# One lost packet makes no member unready.
_FAILURES: Final = 2
# What changes at every look is written this seldom: each write is an event to all who watch.
_REWRITE_S: Final = 300.0


@dataclass(slots=True)
class Standing:
    """Of one generation of a Cluster."""

    mark: tuple[str, int]  # its uid and generation
    term: int = 0  # of this replica's lead
    proof: Proof | None = None
    proven_until: float = 0.0
    held: Held | None = None
    ready: Condition | None = None
    enforced: Condition | None = None
    failures: int = 0
    version: str = ""
    latency_ms: int | None = None
    probed_at: float = 0.0  # by the wall clock
    probe_due: float = 0.0  # these two by the monotonic one
    guards_due: float = 0.0
    guards_mark: Mark = ()  # what was compared last
    login: Login | None = None  # what `kube` shows
    kube: Kube | None = None  # kept open: a handshake is most of a probe

    def close(self) -> None:
        """Let go of the member."""
        if self.kube is not None:
            self.kube.close()
        self.kube = self.login = None


def begin(cluster: Cluster, document: RawDocument) -> Standing:
    """With what the replica that led before has found out of the same generation."""
    standing = Standing((cluster.meta.uid, cluster.meta.generation))
    status = mapping(document.get("status"))
    if status.get("observedGeneration") == cluster.meta.generation:
        version, latency = status.get("version"), status.get("latencyMilliseconds")
        standing.version = version if isinstance(version, str) else ""
        standing.latency_ms = latency if isinstance(latency, int) else None
    ready = read_conditions(document).get(READY)
    if ready is not None and ready.observed_generation == cluster.meta.generation:
        standing.ready = ready if ready.status else None
    return standing


def describe_acceptance(cluster: Cluster, verdict: Acceptance, document: RawDocument) -> Condition:
    """What is not known stays as it was judged of the same generation."""
    generation = cluster.meta.generation
    before = read_conditions(document).get(ACCEPTED)
    if verdict.usable is None and before is not None and before.observed_generation == generation:
        return before
    return Condition(ACCEPTED, verdict.usable, verdict.reason, verdict.message, generation)


def note_probe(standing: Standing, outcome: Answered | Failed, now: float) -> None:
    """Take what a look came to; a first failure changes nothing of what was known."""
    generation = standing.mark[1]
    standing.probed_at = now
    if isinstance(outcome, Answered):
        standing.failures = 0
        standing.version, standing.latency_ms = outcome.version, outcome.latency_ms
        standing.ready = Condition(READY, True, "Reachable", "it answers", generation)
        return
    standing.failures += 1
    if standing.ready is None or standing.failures >= _FAILURES:
        standing.latency_ms = None
        standing.ready = Condition(READY, False, outcome.reason, outcome.message, generation)


def note_guards(standing: Standing, found: Lack | Failed | None) -> None:
    """Take what its guards came to. One that does not answer keeps what was known of it."""
    generation = standing.mark[1]
    if isinstance(found, Failed) and found.reason != "GuardsForbidden":
        return
    if found is None:
        told = "guards and webhook are there, as MCA makes them"
        standing.enforced = Condition(ENFORCED, True, "Guarded", told, generation)
    else:
        standing.enforced = Condition(ENFORCED, False, found.reason, found.message, generation)


def list_conditions(
    standing: Standing, accepted: Condition, document: RawDocument
) -> tuple[Condition, ...]:
    """All three, as they are to be written."""
    generation = standing.mark[1]
    if accepted.status is not True:
        told = "it is not asked while it may not be used"
        idle = [Condition(kind, None, "NotProbed", told, generation) for kind in (READY, ENFORCED)]
        return (accepted, *idle)
    there = read_conditions(document)
    found = []
    for kind, known in ((READY, standing.ready), (ENFORCED, standing.enforced)):
        before = there.get(kind)
        if known is None and before is not None and before.observed_generation == generation:
            found.append(before)  # by the replica that led before
        else:
            told = "it did not answer yet"
            found.append(known or Condition(kind, None, "NotProbed", told, generation))
    return (accepted, *found)


def render_facts(cluster: Cluster, standing: Standing) -> RawDocument:
    """The other fields of the status."""
    facts: RawDocument = {"observedGeneration": cluster.meta.generation}
    if cluster.audience:
        facts["audience"] = cluster.audience
    if standing.version:
        facts["version"] = standing.version
    if standing.latency_ms is not None:
        facts["latencyMilliseconds"] = standing.latency_ms
    if standing.probed_at:
        facts["lastProbeTime"] = now_text(standing.probed_at)
    return facts


def is_written(
    conditions: tuple[Condition, ...], facts: RawDocument, document: RawDocument, age_s: float
) -> bool:
    """Whether the stored status says it already, or as good as."""
    status = mapping(document.get("status"))
    lasting = ("observedGeneration", "audience", "version")
    return (
        same_conditions(conditions, document)
        and all(status.get(key) == facts.get(key) for key in lasting)
        and age_s < _REWRITE_S
    )
