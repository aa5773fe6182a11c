"""Owns what each caller may have under way, and how often it may begin: a tenant's limits.

Callers are counted apart, so that one container cannot use up what another needs. Must not touch
a call: it says yes, or no with the time after which to come again.
"""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.verdict import Denial, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.snapshot_tenant import Rate, TenantLimits

_SOON_S: Final = 1
_LOOKUPS_PER_S: Final = 10.0
_LOOKUPS: Final = 60  # one after the other, as a tool does that goes through every kind


class Refused(NamedTuple):
    """Not now: why, and after how many seconds it is worth another try."""

    refusal: Denial
    retry_after_s: int


class Bucket:
    """Fills at a steady rate up to its burst; each call takes one."""

    __slots__ = ("_at", "_burst", "_per_second", "_tokens")

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self._per_second = per_second
        self._burst = max(burst, 1)
        self._tokens = float(self._burst)
        self._at = now

    def wait_s(self, now: float) -> float:
        """How long until there is one to take; 0 when there is."""
        filled = self._tokens + (now - self._at) * self._per_second
        self._tokens = min(filled, self._burst)
        self._at = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self._per_second

    def take(self) -> None:
        """Take one that is there."""
        self._tokens -= 1


class _Tally:
    """What one caller has under way."""

    __slots__ = ("calls", "streams")

    def __init__(self) -> None:
        self.calls = 0
        self.streams = 0


class Limiter:
    """Counts callers against the tenant's limits."""

    def __init__(self) -> None:
        self.limits: TenantLimits | None = None
        self._tallies: dict[str, _Tally] = {}
        self._buckets: dict[tuple[str, int], Bucket] = {}
        self._lookups: dict[str, Bucket] = {}

    def adopt(self, limits: TenantLimits | None) -> None:
        """Count against these from the next call on; what is under way stays counted."""
        if limits != self.limits:
            self._buckets.clear()
        self.limits = limits

    def look_up(self, container: str, now: float) -> Refused | None:
        """May a kind be fetched for a call? That is a call of our own, by our own credential."""
        bucket = self._lookups.get(container)
        if bucket is None:
            bucket = self._lookups[container] = Bucket(_LOOKUPS_PER_S, _LOOKUPS, now)
        if bucket.wait_s(now):
            message = (
                "this container asks for more kinds that are not known than are looked up for it; "
                "slow down"
            )
            return _refuse("limit/kinds", message, _SOON_S)
        bucket.take()
        return None

    def begin(
        self, container: str, info: RequestInfo, now: float
    ) -> Callable[[], None] | Refused | None:
        """Count a call in: how to count it out, or why it may not begin; None without limits."""
        limits = self.limits
        if limits is None:
            return None
        tally = self._tallies.setdefault(container, _Tally())
        refused = _judge_tally(tally, limits, info)
        if refused is not None:
            return refused
        buckets = [
            self._bucket(container, index, rate, now)
            for index, rate in enumerate(limits.rates)
            if catches(rate, info)
        ]
        wait_s = max((bucket.wait_s(now) for bucket in buckets), default=0.0)
        if wait_s > 0:
            what = f"{info.judged_verb} {info.resource}".strip()
            message = (
                f"this container calls `{what}` more often than its tenant's limits.rates allow; "
                "slow down"
            )
            return _refuse("limit/rate", message, max(1, ceil(wait_s)))
        for bucket in buckets:
            bucket.take()
        field = "streams" if info.long_running else "calls"
        setattr(tally, field, getattr(tally, field) + 1)
        return partial(_count_out, tally, field)

    def _bucket(self, container: str, index: int, rate: Rate, now: float) -> Bucket:
        found = self._buckets.get((container, index))
        if found is None:
            found = self._buckets[container, index] = Bucket(rate.per_second, rate.burst, now)
        return found


def _judge_tally(tally: _Tally, limits: TenantLimits, info: RequestInfo) -> Refused | None:
    if info.long_running:
        if limits.watches and tally.streams >= limits.watches:
            message = (
                f"this container has {tally.streams} watches, logs and tunnels open, as many as "
                "its tenant's limits.watches allows; close some"
            )
            return _refuse("limit/watches", message, _SOON_S)
    elif limits.concurrent_requests and tally.calls >= limits.concurrent_requests:
        message = (
            f"this container has {tally.calls} calls under way, as many as its tenant's "
            "limits.concurrentRequests allows; wait for some"
        )
        return _refuse("limit/concurrent-requests", message, _SOON_S)
    return None


def _refuse(rule: str, message: str, retry_after_s: int) -> Refused:
    return Refused(Denial(Reason.TOO_MANY_REQUESTS, rule, message), retry_after_s)


def _count_out(tally: _Tally, field: str) -> None:
    setattr(tally, field, getattr(tally, field) - 1)


def catches(rate: Rate, info: RequestInfo) -> bool:
    """Is this call counted against the rate?"""
    if not {"*", info.judged_verb}.intersection(rate.verbs):
        return False
    if not info.is_resource:
        return "*" in rate.groups and "*" in rate.resources
    if not {"*", info.group}.intersection(rate.groups):
        return False
    named = {"*", info.resource}
    if info.subresource:
        whole = f"{info.resource}/{info.subresource}"
        named = {"*", whole, f"{info.resource}/*", f"*/{info.subresource}"}
    return bool(named.intersection(rate.resources))
