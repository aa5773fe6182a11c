"""Owns the way from a head to a verdict: who calls, what for, may it; and the count of what came.

Must not decide by itself (sidecar.policy does) and must not touch a socket. What was judged once
is remembered by its very bytes: header blocks with the caller they name, request lines with the
decision for that caller. A miss takes the full way; a change of tokens, policy, credentials or
clusters forgets everything.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Final

from sidecar.audit import AuditLog, fragment
from sidecar.head import RequestHead, parse_head, split_request_line
from sidecar.metrics import Counter
from sidecar.policy.decide import Policy, decide
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.scopes import Scopes
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import (
    REASON_CODES,
    Answer,
    Body,
    Caller,
    Denial,
    NeedBody,
    NeedScope,
    Permit,
    Reason,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidecar.exchange import Exchange
    from sidecar.member import Member
    from sidecar.metrics import Histogram, Metrics
    from sidecar.policy.verdict import Verdict
    from sidecar.tokens import Callers

_MEMO_BLOCKS: Final = 512
_MEMO_BLOCK_BYTES: Final = 4096
_MEMO_DECISIONS: Final = 3072
_MEMO_LINE_BYTES: Final = 512
_NO_POLICY = Denial(
    Reason.FORBIDDEN,
    "snapshot/none",
    "this pod's MCA policy has not been loaded, so every call is refused; "
    "the sidecar's log says what is wrong with it",
)


class Decided:
    """One request line of one caller, with its verdict and everything that follows from it."""

    __slots__ = (
        "caller",
        "counters",
        "durations",
        "head_only",
        "info",
        "line",
        "member",
        "needs",
        "refusal",
        "routed",
        "safe",
        "shared",
        "streams",
        "upgrades",
        "watch",
    )

    def __init__(self, line: bytes, info: RequestInfo, caller: Caller) -> None:
        self.line = line
        self.caller = caller
        self.info = info
        self.member: Member | None = None
        self.refusal: Denial | None = None
        self.needs: NeedBody | None = None
        self.head_only = line.startswith(b"HEAD ")
        self.safe = line.startswith((b"GET ", b"HEAD "))
        self.watch = info.watch
        self.streams = info.long_running
        self.upgrades = info.is_upgrade
        self.shared = b""
        self.counters: dict[int, Counter] = {}
        self.routed: Counter
        self.durations: Histogram


class Known:
    """A header block that was judged, and the caller that its token names."""

    __slots__ = ("caller", "decisions", "head")

    def __init__(self, head: RequestHead, caller: Caller, decisions: dict[bytes, Decided]) -> None:
        self.head = head
        self.caller = caller
        self.decisions = decisions


class Gate:
    """Judges heads and lines, and keeps the books."""

    def __init__(
        self, hosts: frozenset[bytes], callers: Callers, metrics: Metrics, audit: AuditLog
    ) -> None:
        self.blocks: dict[bytes, Known] = {}
        self.draining = False
        self.metrics = metrics
        self._audit = audit
        self._hosts = hosts
        self._callers = callers
        self._decisions: dict[Caller, dict[bytes, Decided]] = {}
        self._policy: Policy | None = None
        self._scopes = Scopes()
        self._members: Mapping[str, Member] = {}
        self._prefix = os.urandom(10).hex().encode()
        self._count = 0

    def adopt(self, policy: Policy, members: Mapping[str, Member]) -> None:
        """Decide by these from the next request on."""
        self._policy = policy
        self._members = members
        self.forget()

    def forget(self) -> None:
        """Drop every memo: something that they were made of has changed."""
        self.blocks.clear()
        self._decisions.clear()

    def next_ident(self) -> bytes:
        """The decision id: 32 hex digits, so that it can serve as a trace id too."""
        self._count += 1
        return b"%b%012x" % (self._prefix, self._count)

    # -- judging --------------------------------------------------------------------------------

    def judge_block(self, block: bytes) -> Known | Denial:
        """Judge a header block and find its caller."""
        head = parse_head(block, self._hosts)
        if isinstance(head, Denial):
            return head
        caller = self._callers.find(head.token)
        if caller is None:
            return Denial(
                Reason.UNAUTHORIZED,
                "identity/token",
                "the bearer token is not one that this sidecar gave out; "
                "use the token in the service account folder of this container",
            )
        known = Known(head, caller, self._decisions.setdefault(caller, {}))
        if head.plain and len(block) <= _MEMO_BLOCK_BYTES:
            if len(self.blocks) >= _MEMO_BLOCKS:
                self.blocks.clear()
            self.blocks[block] = known
        return known

    def judge_line(self, known: Known, line: bytes) -> Decided | Denial:
        """Judge a request line for a caller; remembered."""
        split = split_request_line(line)
        if isinstance(split, Denial):
            return split
        method, raw = split
        target = parse_target(raw)
        if isinstance(target, Denial):
            return target
        info = request_info(method, target)
        if isinstance(info, Denial):
            return info
        decided = Decided(line, info, known.caller)
        self._settle(decided, None)
        if len(line) <= _MEMO_LINE_BYTES:
            if len(known.decisions) >= _MEMO_DECISIONS:
                known.decisions.clear()
            known.decisions[line] = decided
        return decided

    def judge_body(self, decided: Decided, caller: Caller, body: Body) -> Decided:
        """Judge again with the body at hand; not remembered."""
        judged = Decided(decided.line, decided.info, caller)
        self._settle(judged, body)
        return judged

    def _settle(self, decided: Decided, body: Body | None) -> None:
        info = decided.info
        caller = decided.caller
        verdict: Verdict = _NO_POLICY
        if self._policy is not None:
            verdict = decide(self._policy, self._scopes, caller, info, body)
        rule, cluster = "", ""
        if isinstance(verdict, NeedBody) and body is None:
            decided.needs = verdict
            return
        if isinstance(verdict, NeedBody | NeedScope | Answer):
            verdict = Denial(Reason.FORBIDDEN, "policy/undecided", "the call cannot be judged")
        if isinstance(verdict, Permit):
            cluster = verdict.plan.candidates[0]
            decided.member = self._members[cluster]
            rule = verdict.rule
            decided.routed = self.metrics.routings("home", cluster)
        else:
            decided.refusal = verdict
            rule = verdict.rule
            decided.routed = Counter()
        decided.durations = self.metrics.durations(cluster or "none", stream=decided.streams)
        decided.shared = _shared(caller, info, rule, cluster)

    # -- keeping the books ------------------------------------------------------------------------

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
        shared = _shared(decided.caller, decided.info, refusal.rule, member)
        self.account(exchange, monotonic(), shared=shared)

    def _counter(self, decided: Decided, code: int) -> Counter:
        info = decided.info
        cluster = decided.member.name if decided.member else "none"
        return self.metrics.requests(cluster, info.resource, info.verb, code)

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
        shared = _shared(caller, info, refusal.rule, "")
        self._audit.append(ident, shared, code, 0, 0, int((monotonic() - started) * 1e6))


def _shared(caller: Caller | None, info: RequestInfo | None, rule: str, cluster: str) -> bytes:
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
            ("fieldSelector", info.field_selector),
            ("labelSelector", info.label_selector),
        )
    return fragment(
        ("caller", caller.container if caller else ""),
        ("pod", caller.pod if caller else ""),
        ("namespace", caller.namespace if caller else ""),
        ("serviceAccount", caller.service_account if caller else ""),
        *asked,
        ("decision", "permit" if cluster else "denial"),
        ("rule", rule),
        ("member", cluster),
    )
