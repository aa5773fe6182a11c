"""Owns the books: every call is counted and leaves an audit line, answered there or here.

Must not judge, and must not fail a call.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from sidecar.audit import AuditLog, fragment
from sidecar.policy.verdict import REASON_CODES, Caller, Denial

if TYPE_CHECKING:
    from sidecar.exchange import Exchange
    from sidecar.gate import Decided
    from sidecar.metrics import Counter, Metrics
    from sidecar.policy.requestinfo import RequestInfo

_UPSTREAM = "upstream/"


class Books:
    """Counts and logs calls."""

    def __init__(self, metrics: Metrics, audit: AuditLog) -> None:
        self.metrics = metrics
        self._audit = audit

    def account(
        self, exchange: Exchange, now: float, *, cut: bool = False, shared: bytes = b""
    ) -> None:
        """Count and log a call that was forwarded; `cut`: its answer did not come to its end."""
        decided = exchange.decided
        code = exchange.status
        duration_us = int((now - exchange.started) * 1e6)
        counter = decided.counters.get(code)
        if counter is None:
            counter = decided.counters[code] = self._counter(decided, code)
        counter.value += 1
        decided.routed.value += 1
        decided.durations.observe(duration_us)
        self._audit.append(
            exchange.ident,
            decided.shared + b',"cut":true' if cut else shared or decided.shared,
            code,
            exchange.bytes_in,
            exchange.bytes_out,
            duration_us,
        )

    def account_failure(self, exchange: Exchange, refusal: Denial) -> None:
        """Count and log a call that was permitted, and answered here because it failed."""
        decided = exchange.decided
        exchange.status = REASON_CODES[refusal.reason]
        member = decided.member.name if decided.member else ""
        failed = refusal.rule.startswith(_UPSTREAM)
        if not failed:
            self.metrics.denials(refusal.rule).value += 1
        shared = describe(
            decided.caller,
            decided.info,
            refusal.rule,
            member=member,
            route=decided.route,
            permitted=failed,
        )
        self.account(exchange, monotonic(), shared=shared)

    def account_refusal(
        self,
        ident: bytes,
        refusal: Denial,
        started: float,
        *,
        decided: Decided | None = None,
        caller: Caller | None = None,
    ) -> None:
        """Count and log a call that was answered here."""
        code = REASON_CODES[refusal.reason]
        if decided is not None:
            self._counter(decided, code).value += 1
            info: RequestInfo | None = decided.info
        else:
            self.metrics.requests("none", "", "", code).value += 1
            info = None
        self.metrics.denials(refusal.rule).value += 1
        shared = describe(caller, info, refusal.rule)
        self._audit.append(ident, shared, code, 0, 0, int((monotonic() - started) * 1e6))

    def _counter(self, decided: Decided, code: int) -> Counter:
        info = decided.info
        cluster = decided.member.name if decided.member else "none"
        return self.metrics.requests(cluster, info.resource, info.verb, code)


def describe(
    caller: Caller | None,
    info: RequestInfo | None,
    rule: str,
    *,
    member: str = "",
    route: str = "",
    audited: str = "",
    permitted: bool = False,
) -> bytes:
    """What the audit lines of one decision have in common."""
    asked: tuple[tuple[str, str], ...] = ()
    if info is not None:
        asked = (
            ("verb", info.verb),
            ("group", info.group),
            ("version", info.version),
            ("resource", info.resource),
            ("subresource", info.subresource),
            ("objectNamespace", info.namespace),
            ("name", info.name),
            ("path", "" if info.is_resource else info.path),
            ("targetContainer", info.container),
            ("insecureBackend", "true" if info.insecure_backend else ""),
            ("fieldSelector", info.field_selector),
            ("labelSelector", info.label_selector),
        )
    return fragment(
        ("caller", caller.container if caller else ""),
        ("pod", caller.pod if caller else ""),
        ("namespace", caller.namespace if caller else ""),
        ("serviceAccount", caller.service_account if caller else ""),
        *asked,
        ("decision", "permit" if permitted else "denial"),
        ("rule", rule),
        ("mode", "audit" if audited else ""),
        ("wouldDeny", audited),
        ("route", route),
        ("member", member),
    )
