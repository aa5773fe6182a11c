"""Owns the work on certificates of one replica: look, do what planning.py says, look again.

Must not end: without an API server it goes on with what it has seen, and says so. Runs in a thread
of its own; whoever serves is handed each certificate.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, NamedTuple, Protocol

from sidecar.log import log_event
from webhook.certificates.planning import (
    Drop,
    Lifetimes,
    Mint,
    Note,
    Publish,
    Serving,
    View,
    Write,
    choose_issuer,
    plan_write,
)
from webhook.certificates.shared_objects import Registration, SharedObjects
from webhook.certificates.signing import Certificate, Pair, make_authority, sign_serving
from webhook.certificates.stored import NewerVersionError, Stored, parse_data, render_data
from webhook.kube import KubeError, RawDocument
from webhook.serving.faults import locate_fault

_LONGEST_PAUSE_S: Final = 15.0
# After a write, or after another replica's, what to do next is seen at the next look.
_SHORT_PAUSE_S: Final = 0.1
_AFTER_FAILURE_S: Final = 2.0
_BETWEEN_WATCHES_S: Final = 1.0


class Audience(Protocol):
    """Who is told, from the keeper's thread."""

    def take(self, pair: Pair) -> None:
        """Serve with this from now on."""

    def tell(self, lack: str, authority_ends: float) -> None:
        """After each look: why there is no certificate, or nothing; when the newest CA ends."""

    def count(self, *, repair: bool) -> None:
        """A caBundle was written, or a look has failed."""


class Look(NamedTuple):
    """What was read of both objects."""

    registration: Registration | None
    secret: RawDocument
    stored: Stored
    view: View


@dataclass(slots=True)
class Keeper:
    """One replica's. `names` are those that it is called by."""

    shared: SharedObjects
    names: tuple[str, ...]
    lifetimes: Lifetimes
    audience: Audience
    clock: Callable[[], float] = time.time
    look: Look | None = None
    serving: Serving | None = None
    shown: str = ""
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def advance(self) -> bool:
        """Look, sign and write what is due; True if the next look is due at once."""
        registration = self.shared.read_registration()
        secret = self.shared.read_secret()
        stored = parse_data(secret.get("data") or {})
        self.look = look = Look(registration, secret, stored, make_view(registration, stored))
        self.sign()
        now = self.clock()
        write = plan_write(look.view, self.lifetimes, now)
        replaced = stored.problems if isinstance(write, Mint) else ()
        self._say("authorities_replaced", *replaced)
        self._say("authorities_ignored", *(() if replaced else stored.problems))
        if write is None:
            self._show(look)
            return False
        self._do(write, look, now)
        return True

    def sign(self) -> bool:
        """Make the next serving certificate if it is time, by what was last seen."""
        if self.look is None:
            return False
        now = self.clock()
        issuer = choose_issuer(self.look.view, self.serving, self.lifetimes, now)
        if issuer is None:
            return False
        authority = self.look.stored.pairs[issuer]
        pair = sign_serving(authority, self.names, now, self.lifetimes.serving_s)
        until = pair.certificate.not_after
        self.audience.take(pair)
        self.serving = Serving(issuer, now, until)
        log_event("info", "certificate_signed", authority=issuer[:16], seconds=round(until - now))
        return True

    def run(self) -> None:
        """Go on for ever: at each change of what is shared, and from time to time."""
        changed = threading.Event()
        for place in self.shared.places:
            threading.Thread(target=self._follow, args=(*place, changed), daemon=True).start()
        while True:
            changed.clear()
            if changed.wait(self.attempt()):
                # Nobody who writes the same objects all the time makes us as busy.
                time.sleep(_SHORT_PAUSE_S)

    def attempt(self) -> float:
        """`advance`, whatever comes of it, tell where that leaves us; the pause until the next."""
        times = self.lifetimes
        pause = min(_LONGEST_PAUSE_S, times.settle_s / 4, times.serving_s / 10)
        wrote, problem = try_work(self.advance)
        if wrote:
            pause = _SHORT_PAUSE_S
        self._say("certificates_kept_as_they_are", *([problem] if problem else ()))
        if problem:
            pause = min(pause, _AFTER_FAILURE_S)
            self.audience.count(repair=False)
            try_work(self.sign)
        lack = ""
        if self.serving is None or self.serving.not_after <= self.clock():
            lack = f"no certificate: {problem or 'its CA is not in the caBundle yet'}"
        known = self.look.view.authorities if self.look else ()
        self.audience.tell(lack, known[-1].not_after if known else 0.0)
        return pause

    def _do(self, write: Write, look: Look, now: float) -> None:
        match write:
            case Mint(kept):
                pair = make_authority(now, self.lifetimes.authority_s)
                if self._store(look, look.stored.select(kept).add(pair)):
                    log_event("info", "authority_made", authority=pair.certificate.id[:16])
            case Drop(kept):
                self._store(look, look.stored.select(kept))
            case Note(published, leaving):
                authorities = tuple(
                    replace(known, published=now) if known.id in published else known
                    for known in look.stored.authorities
                )
                self._store(look, replace(look.stored, authorities=authorities, leaving=leaving))
            case Publish(trusted):
                self._publish(look, trusted)

    def _store(self, look: Look, stored: Stored) -> bool:
        return self.shared.store(look.secret, render_data(stored))

    def _publish(self, look: Look, trusted: tuple[str, ...]) -> None:
        if look.registration is None:  # then there is no caBundle that could differ
            return
        known = {found.id: found.pem for found in _list_trusted(look.registration)}
        known |= {identity: pair.certificate.pem for identity, pair in look.stored.pairs.items()}
        if self.shared.publish(look.registration, "".join(known[identity] for identity in trusted)):
            self.audience.count(repair=True)
            log_event("info", "ca_bundle_written", authorities=len(trusted))

    def _show(self, look: Look) -> None:
        """Once, as long as it stays the same: whoever looks on misses little without it."""
        trusted = next(iter(look.registration.bundles.values()), ()) if look.registration else ()
        pem = "".join(found.pem for found in trusted or ())
        if not pem or pem == self.shown:
            return
        try:
            self.shared.show(pem)
        except KubeError as error:
            self._say("ca_not_shown", str(error))
        else:
            self.shown = pem
            self._say("ca_not_shown")

    def _follow(self, collection: str, name: str, changed: threading.Event) -> None:
        while True:
            # Whoever looks from time to time tells what is wrong.
            try_work(partial(self._hear, collection, name, changed))
            time.sleep(_BETWEEN_WATCHES_S)

    def _hear(self, collection: str, name: str, changed: threading.Event) -> bool:
        for _ in self.shared.follow(collection, name):
            changed.set()
        return True

    def _say(self, event: str, *problems: str) -> None:
        """Once, until it is another or none."""
        if problems and problems != self.told.get(event):
            log_event("warning", event, problem="; ".join(problems))
        self.told[event] = problems


def try_work(work: Callable[[], bool]) -> tuple[bool, str]:
    """What came of it, and what is wrong: for a thread that must go on whatever it is."""
    try:
        return work(), ""
    except (KubeError, NewerVersionError) as error:
        return False, str(error)
    except Exception as error:  # noqa: BLE001 - the thread must outlive a bug, and tell where it is
        return False, f"{locate_fault(error)} while keeping certificates"


def make_view(registration: Registration | None, stored: Stored) -> View:
    """What planning sees of both objects."""
    bundles = tuple(registration.bundles.values()) if registration else ()
    return View(
        bundles=tuple(
            None if bundle is None else tuple(found.id for found in bundle) for bundle in bundles
        ),
        ends={found.id: found.not_after for bundle in bundles for found in bundle or ()},
        authorities=stored.authorities,
        leaving=stored.leaving,
    )


def _list_trusted(registration: Registration) -> list[Certificate]:
    return [found for bundle in registration.bundles.values() for found in bundle or ()]
