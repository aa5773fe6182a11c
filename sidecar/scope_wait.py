"""Owns a request that waits until it is known whether its kind has namespaces.

Must not fetch and must not judge: sidecar.kinds and sidecar.gate do. Nothing of the request has
gone anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.policy.verdict import Denial, Reason

if TYPE_CHECKING:
    from sidecar.gate import Decided, Known
    from sidecar.gathering import Gathering
    from sidecar.policy.verdict import NeedScope

_MOST: Final = 3  # a kind on home, the same on a route's member, the kind that a review asks for


class ScopeWait:
    """One request, as far as it has come; with its body where that was gathered."""

    def __init__(
        self,
        known: Known,
        decided: Decided,
        scope: NeedScope,
        asked: tuple[NeedScope, ...],
        rest: bytes = b"",
        trace: bytes = b"",
        body: Gathering | None = None,
    ) -> None:
        self.known = known
        self.decided = decided
        self.scope = scope
        self.asked = (*asked, scope)
        self.rest = rest
        self.trace = trace
        self.body = body

    def take(self, data: bytes) -> int:
        """Keep what comes meanwhile; how much that is."""
        if self.body is not None:
            self.body.rest += data
            return len(self.body.rest)
        self.rest += data
        return len(self.rest)

    def too_many(self) -> Denial | None:
        """What was learned did not help: it must not go on for ever."""
        if len(self.asked) <= _MOST and self.scope not in self.asked[:-1]:
            return None
        return Denial(
            Reason.SERVICE_UNAVAILABLE,
            "tenant/unknown-scope",
            f"cluster {self.scope.cluster} does not tell whether {self.scope.resource} have "
            "namespaces, so the call cannot be judged; nothing was sent",
        )
