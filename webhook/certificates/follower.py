"""Owns the work on certificates of who only signs: it looks at the CAs, and signs its own.

Must not write anything: the webhook's replicas make CAs and see to it that they are trusted
(keeper.py). What is trusted is what the ConfigMap shows, which snapshots hold. Runs in a thread of
its own.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sidecar.log import log_event
from webhook.certificates.keeper import Audience, try_work
from webhook.certificates.planning import Lifetimes, Serving, View, choose_issuer
from webhook.certificates.shared_objects import SharedObjects
from webhook.certificates.signing import Certificate, sign_serving
from webhook.certificates.stored import Stored, parse_data

_PAUSE_S: Final = 15.0
_AFTER_FAILURE_S: Final = 2.0
_BETWEEN_WATCHES_S: Final = 1.0


@dataclass(slots=True)
class Follower:
    """One replica's. `names` are those that it is called by."""

    shared: SharedObjects
    names: tuple[str, ...]
    lifetimes: Lifetimes
    audience: Audience
    clock: Callable[[], float] = time.time
    view: View | None = None
    stored: Stored = Stored()  # noqa: RUF009 - it is frozen
    serving: Serving | None = None
    told: str = ""
    changed: threading.Event = field(default_factory=threading.Event)
    ended: bool = False

    def run(self) -> None:
        """Go on to the end: at each change of what is looked at, and from time to time."""
        for place in self.shared.shown_places:
            threading.Thread(target=self._follow, args=place, daemon=True).start()
        while not self.ended:
            self.changed.clear()
            self.changed.wait(self.attempt())

    def end(self) -> None:
        """Nobody is served any more."""
        self.ended = True
        self.changed.set()

    def attempt(self) -> float:
        """Look and sign, whatever comes of it; the pause until the next."""
        _, problem = try_work(self._look)
        if problem:
            self.audience.count(repair=False)
            try_work(self._sign)
        if problem != self.told:
            self.told = problem
            if problem:
                log_event("warning", "certificates_not_seen", problem=problem)
        lack = ""
        if self.serving is None or self.serving.not_after <= self.clock():
            told = problem or "no CA of the Secret is in the ConfigMap mca-webhook-ca yet"
            lack = f"no certificate: {told}"
        known = self.stored.authorities
        self.audience.tell(lack, known[-1].not_after if known else 0.0)
        return _AFTER_FAILURE_S if problem or lack else _PAUSE_S

    def _look(self) -> bool:
        shown = self.shared.read_shown()
        self.stored = parse_data(self.shared.read_secret().get("data") or {})
        self.view = make_view(shown, self.stored)
        return self._sign()

    def _sign(self) -> bool:
        """The next certificate, if it is time, by what was last seen."""
        if self.view is None:
            return False
        now = self.clock()
        issuer = choose_issuer(self.view, self.serving, self.lifetimes, now)
        if issuer is None:
            return False
        authority = self.stored.pairs[issuer]
        pair = sign_serving(authority, self.names, now, self.lifetimes.serving_s)
        until = pair.certificate.not_after
        self.audience.take(pair)
        self.serving = Serving(issuer, now, until)
        log_event("info", "certificate_signed", authority=issuer[:16], seconds=round(until - now))
        return True

    def _follow(self, collection: str, name: str) -> None:
        def hear() -> bool:
            for _ in self.shared.follow(collection, name):
                self.changed.set()
            return True

        while not self.ended:
            # Whoever looks from time to time tells what is wrong.
            try_work(hear)
            time.sleep(_BETWEEN_WATCHES_S)


def make_view(shown: tuple[Certificate, ...] | None, stored: Stored) -> View:
    """What planning sees: one place where CAs are trusted."""
    return View(
        bundles=(None if shown is None else tuple(found.id for found in shown),),
        ends={found.id: found.not_after for found in shown or ()},
        authorities=stored.authorities,
        leaving=stored.leaving,
    )
