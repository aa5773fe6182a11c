"""Owns what is done next about certificates, and which CA signs: by what was seen and the time.

Must not do it, read a clock or know how a certificate is made: keeper.py does.

Several replicas decide by the same rules, each for itself. What they share is two objects: the
Secret with the CAs, and the registration with the caBundle. Both are written only as they were
read (by resourceVersion), one at a time, and the registration is read before the Secret. So:

* a CA is signed with only once it was in the caBundle for a while: first trusted, then used;
* no certificate outlives its CA, and a CA stays trusted until its end: nothing in use loses trust;
* a CA that vanished from the Secret stays trusted for two lives of a serving certificate, from when
  that was seen: one in which a replica may not have heard of it, and that of what it signed last.

A replica that has nothing to lose, one that just began, does not wait for a CA to settle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

# What a Secret holds at most, whatever clocks say, and how many others stay trusted: the newest.
MAX_AUTHORITIES: Final = 8
_RENEWED_AT: Final = 2 / 3  # of a life


class Lifetimes(NamedTuple):
    """Seconds: of a CA, of a serving certificate, and from trusting a CA to signing with it."""

    authority_s: int = 90 * 86400
    serving_s: int = 86400
    settle_s: int = 300


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA of the Secret. `made` is when its key was, `published` when every caBundle had it."""

    id: str
    made: float
    not_before: float
    not_after: float
    published: float | None

    def is_valid(self, now: float) -> bool:
        """By the clock alone."""
        return self.not_before <= now < self.not_after


@dataclass(frozen=True, slots=True)
class Serving:
    """The certificate in use, and the CA that signed it."""

    issuer: str
    made: float
    not_after: float

    def is_due(self, now: float) -> bool:
        """It is time for the next."""
        return now >= self.made + (self.not_after - self.made) * _RENEWED_AT


@dataclass(frozen=True, slots=True)
class View:
    """What one replica saw: the registration first, then the Secret.

    `bundles` are the ids in the caBundle of each webhook in their order, None for one that cannot
    be read; empty if there is no registration. `ends` says when each of them ends. `authorities`
    are those of the Secret, the oldest first; `leaving` says until when others stay trusted.
    """

    bundles: Sequence[tuple[str, ...] | None]
    ends: Mapping[str, float]
    authorities: Sequence[Authority]
    leaving: Mapping[str, float]

    def is_trusted(self, identity: str) -> bool:
        """By every webhook; without any, nobody could distrust it."""
        return all(bundle is not None and identity in bundle for bundle in self.bundles)


@dataclass(frozen=True, slots=True)
class Mint:
    """Add a CA to the Secret, behind those that are kept."""

    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Publish:
    """Write these into the caBundle of every webhook."""

    trusted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Say in the Secret which are in every caBundle as of now, and until when others are."""

    published: tuple[str, ...]
    leaving: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Drop:
    """Keep only these in the Secret."""

    kept: tuple[str, ...]


Write = Mint | Publish | Note | Drop


def plan_write(view: View, lifetimes: Lifetimes, now: float) -> Write | None:
    """The one write that is due, if any; the next follows when its result was read."""
    newest = _find_newest(view.authorities, now)
    if newest is None or now >= newest.made + (newest.not_after - newest.made) * _RENEWED_AT:
        return Mint(tuple(known.id for known in view.authorities)[1 - MAX_AUTHORITIES :])
    leaving = _plan_leaving(view, lifetimes, now)
    trusted = tuple(
        [known.id for known in view.authorities]
        + [identity for identity, until in sorted(leaving.items()) if until > now]
    )
    if any(bundle != trusted for bundle in view.bundles):
        return Publish(trusted)
    unsaid = tuple(_find_unsaid(view.authorities, now)) if view.bundles else ()
    if unsaid or leaving != view.leaving:
        return Note(unsaid, leaving)
    kept = tuple(_list_kept(view.authorities, newest, now))
    return Drop(kept) if len(kept) < len(view.authorities) else None


def choose_issuer(
    view: View, serving: Serving | None, lifetimes: Lifetimes, now: float
) -> str | None:
    """The CA to sign the next serving certificate with, now; None: what is in use stays."""
    usable = [
        known for known in view.authorities if known.is_valid(now) and view.is_trusted(known.id)
    ]
    settled = [known for known in usable if _is_settled(known, lifetimes, now)]
    best = next(reversed(settled or usable), None)
    if best is None or serving is None or now >= serving.not_after:
        return None if best is None else best.id
    order = [known.id for known in view.authorities]
    if serving.issuer not in order:
        leaves = bool(settled) or serving.is_due(now) or not view.is_trusted(serving.issuer)
    elif serving.issuer == best.id:
        leaves = serving.is_due(now)
    else:
        # Never back to an older one: that one is used where the caBundle lost the newer for a
        # moment, and somebody is about to mend it.
        newer = order.index(best.id) > order.index(serving.issuer)
        leaves = newer and (bool(settled) or serving.is_due(now))
    return best.id if leaves else None


def _find_newest(authorities: Sequence[Authority], now: float) -> Authority | None:
    return next((known for known in reversed(authorities) if known.is_valid(now)), None)


def _plan_leaving(view: View, lifetimes: Lifetimes, now: float) -> dict[str, float]:
    """Until when those stay trusted that a caBundle has and the Secret has not."""
    own = {known.id for known in view.authorities}
    found = {identity for bundle in view.bundles for identity in bundle or ()} - own
    until = now + 2 * (lifetimes.settle_s + lifetimes.serving_s)
    leaving = {
        identity: view.leaving.get(identity, min(until, view.ends[identity])) for identity in found
    }
    last = sorted(leaving, key=lambda identity: (-leaving[identity], identity))
    return {identity: leaving[identity] for identity in last[:MAX_AUTHORITIES]}


def _find_unsaid(authorities: Sequence[Authority], now: float) -> list[str]:
    """A time to come is of a clock that is ahead, or of nobody: it would never settle."""
    return [known.id for known in authorities if known.published is None or known.published > now]


def _list_kept(authorities: Sequence[Authority], newest: Authority, now: float) -> list[str]:
    """All but those that ended before a newer one took over.

    What follows the newest is of a clock that differs. Dropping it would have that replica make
    another, and so on.
    """
    place = authorities.index(newest)
    return [
        known.id
        for position, known in enumerate(authorities)
        if position >= place or known.not_after > now
    ]


def _is_settled(known: Authority, lifetimes: Lifetimes, now: float) -> bool:
    """Trusted for long enough, and not about to end."""
    if known.published is None or known.not_after - now <= lifetimes.settle_s:
        return False
    return now >= known.published + lifetimes.settle_s
