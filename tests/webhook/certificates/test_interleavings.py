"""Whatever replicas do at once, or leave half done: what is served with is trusted.

Not the processes, which test_processes.py runs: their rules alone, each step in any order, with
clocks that differ, crashes after any write, and Secrets that are lost or put back from a backup.
"""

from dataclasses import dataclass, replace

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from webhook.certificates.planning import (
    Authority,
    Drop,
    Lifetimes,
    Mint,
    Note,
    Publish,
    Serving,
    View,
    choose_issuer,
    plan_write,
)

TIMES = Lifetimes(authority_s=90 * 86400, serving_s=86400, settle_s=300)
SKEW_S = 30.0
BACKDATED_S = 3600.0
REPLICAS = 3


@dataclass(frozen=True)
class Secret:
    """What lies in it; `version` is the resourceVersion."""

    version: int = 0
    authorities: tuple[Authority, ...] = ()
    leaving: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Registration:
    """Its webhooks always have the same caBundle here."""

    version: int = 0
    bundle: tuple[str, ...] = ()


@dataclass
class Replica:
    """What one has seen, and what it serves with."""

    skew: float
    registration: Registration | None = None
    secret: Secret | None = None
    seen_at: float = 0.0
    serving: Serving | None = None


class Cluster(RuleBasedStateMachine):
    """An API server's two objects, and replicas that look and write whenever."""

    replicas = Bundle("replicas")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.secret = Secret()
        self.registration = Registration()
        self.backups = [self.secret]
        self.ends: dict[str, float] = {}
        self.trusted_since: dict[str, float] = {}
        self.version = 0
        self.undisturbed = True
        self.all: list[Replica] = []

    @initialize(
        target=replicas,
        skews=st.lists(st.sampled_from([-SKEW_S, 0.0, SKEW_S]), min_size=2, max_size=REPLICAS),
    )
    def begin(self, skews: list[float]):  # type: ignore[no-untyped-def]
        self.all = [Replica(skew) for skew in skews]
        return multiple(*self.all)

    @rule(replica=replicas)
    def read_registration(self, replica: Replica) -> None:
        replica.registration, replica.secret = self.registration, None
        replica.seen_at = self.now

    @rule(replica=replicas)
    def read_secret(self, replica: Replica) -> None:
        if replica.registration is not None:
            replica.secret = self.secret

    @rule(replica=replicas)
    def sign(self, replica: Replica) -> None:
        """By what was last seen, if that was within the life of a serving certificate."""
        seen = self.view(replica)
        if seen is None or self.now - replica.seen_at > TIMES.serving_s:
            return
        now = self.now + replica.skew
        issuer = choose_issuer(seen, replica.serving, TIMES, now)
        if issuer is None:
            return
        used = replica.serving
        if self.undisturbed and used and not used.is_due(now):
            # API servers learn of a caBundle a moment later.
            waited = replica.seen_at - self.trusted_since[issuer]
            assert waited + (self.now - replica.seen_at) >= TIMES.settle_s - 2 * SKEW_S
        replica.serving = Serving(issuer, now, min(now + TIMES.serving_s, self.ends[issuer]))

    @rule(replica=replicas, crashes=st.booleans())
    def write(self, replica: Replica, crashes: bool) -> None:
        seen = self.view(replica)
        if seen is not None:
            self.apply(replica, seen)
        replica.registration = None if crashes else replica.registration
        replica.secret = None
        if crashes:
            replica.serving = None

    @rule(replica=replicas)
    def advance(self, replica: Replica) -> None:
        """All of it undisturbed, which is what happens nearly always."""
        self.read_registration(replica)
        self.read_secret(replica)
        self.sign(replica)
        self.write(replica, crashes=False)

    @rule(
        seconds=st.sampled_from(
            [1.0, 100.0, 350.0, 3600.0, 30_000.0, 90_000.0, 40 * 86400.0, 61 * 86400.0]
        )
    )
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def back_up(self) -> None:
        self.backups.append(self.secret)

    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """The Secret is emptied, or what it was is put back."""
        backup = data.draw(st.sampled_from(self.backups))
        self.secret = replace(backup, version=self.next_version())
        self.undisturbed = False

    @invariant()
    def what_is_served_is_trusted(self) -> None:
        for replica in self.all:
            used = replica.serving
            if used is not None and self.now < used.not_after - SKEW_S:
                assert used.issuer in self.registration.bundle

    def teardown(self) -> None:
        """Left alone, all come to rest with a certificate and nothing more to write."""
        for _ in range(12):
            for replica in self.all:
                self.advance(replica)
            self.now += 1
        self.what_is_served_is_trusted()
        for replica in self.all:
            self.read_registration(replica)
            self.read_secret(replica)
            seen = self.view(replica)
            assert seen is not None
            assert plan_write(seen, TIMES, self.now + replica.skew) is None
            assert replica.serving is not None
            assert self.now < replica.serving.not_after

    def view(self, replica: Replica) -> View | None:
        if replica.registration is None or replica.secret is None:
            return None
        bundle = replica.registration.bundle
        return View(
            (bundle, bundle), self.ends, replica.secret.authorities, dict(replica.secret.leaving)
        )

    def apply(self, replica: Replica, seen: View) -> None:
        """As an API server does: only onto what was read."""
        now = self.now + replica.skew
        planned = plan_write(seen, TIMES, now)
        read = replica.secret
        assert read is not None
        if isinstance(planned, Publish):
            if replica.registration == self.registration:
                self.registration = Registration(self.next_version(), planned.trusted)
                self.trusted_since = {
                    identity: self.trusted_since.get(identity, self.now)
                    for identity in planned.trusted
                }
        elif planned is not None and read.version == self.secret.version:
            changed = self.change_secret(read, planned, now)
            self.secret = replace(changed, version=self.next_version())

    def change_secret(self, read: Secret, planned: Mint | Note | Drop, now: float) -> Secret:
        if isinstance(planned, Note):
            said = tuple(
                replace(known, published=now) if known.id in planned.published else known
                for known in read.authorities
            )
            return replace(read, authorities=said, leaving=tuple(planned.leaving.items()))
        kept = tuple(known for known in read.authorities if known.id in planned.kept)
        if isinstance(planned, Drop):
            return replace(read, authorities=kept)
        made = Authority(
            f"ca-{len(self.ends)}", now, now - BACKDATED_S, now + TIMES.authority_s, None
        )
        self.ends[made.id] = made.not_after
        return replace(read, authorities=(*kept, made))

    def next_version(self) -> int:
        self.version += 1
        return self.version


def test_what_is_served_is_always_trusted() -> None:
    run_state_machine_as_test(Cluster, settings=settings(max_examples=100, stateful_step_count=60))
