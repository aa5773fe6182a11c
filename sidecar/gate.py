"""Owns the way from a head to a verdict: who calls, what for, may it.

Must not decide by itself (sidecar.policy does) and must not touch a socket. What was judged once
is remembered by its very bytes: header blocks with the caller they name, request lines with the
decision for that caller. A miss takes the full way; a change of tokens, policy, credentials or
clusters forgets everything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from sidecar.books import Books, describe
from sidecar.head import RequestHead, parse_head, split_request_line
from sidecar.metrics import Counter
from sidecar.policy.decide import Policy, decide
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.scopes import Scopes
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import (
    Answer,
    Body,
    Caller,
    Denial,
    NeedBody,
    NeedScope,
    Permit,
    Plan,
    PlanKind,
    Reason,
)
from sidecar.refusals import FOREIGN_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidecar.limits import Limiter
    from sidecar.member import Member
    from sidecar.metrics import Histogram
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


# What these say may be otherwise within moments: not worth remembering.
_PASSING: Final = frozenset({"tenant/unknown-kind", FOREIGN_VERSION.rule})
_DEFAULT_ROUTE: Final = "default"


class Decided:
    """One request line of one caller, with its verdict and everything that follows from it.

    One of `refusal`, `needs`, `scope`, `answer` and `plan` says how to go on. `member` is the first
    of the plan; `direct` is the same where nothing else is to be done than to send the call there.
    """

    __slots__ = (
        "answer",
        "audited",
        "caller",
        "counters",
        "direct",
        "durations",
        "head_only",
        "info",
        "line",
        "member",
        "needs",
        "origin",
        "plan",
        "refusal",
        "routed",
        "rule",
        "safe",
        "scope",
        "shared",
        "streams",
        "upgrades",
        "variants",
        "watch",
    )

    def __init__(self, line: bytes, info: RequestInfo, caller: Caller) -> None:
        self.line = line
        self.caller = caller
        self.info = info
        self.direct: Member | None = None
        self.member: Member | None = None
        self.plan: Plan | None = None
        self.refusal: Denial | None = None
        self.needs: NeedBody | None = None
        self.scope: NeedScope | None = None
        self.answer: Answer | None = None
        self.rule = ""
        self.audited = ""
        self.head_only = line.startswith(b"HEAD ")
        # May be sent again where no answer came. What a WebSocket asks for as a GET may not.
        self.safe = line.startswith((b"GET ", b"HEAD ")) and not info.is_upgrade
        self.watch = info.watch
        self.streams = info.long_running
        self.upgrades = info.is_upgrade
        self.shared = b""
        self.counters: dict[int, Counter] = {}
        # By member, where a plan has several: the same, as it goes there.
        self.variants: dict[str, Decided] | None = None
        self.origin: Decided | None = None  # of a variant
        self.routed: Counter
        self.durations: Histogram

    @property
    def route(self) -> str:
        return self.plan.route if self.plan is not None else ""


class Known:
    """A header block that was judged, and the caller that its token names."""

    __slots__ = ("caller", "decisions", "head")

    def __init__(self, head: RequestHead, caller: Caller, decisions: dict[bytes, Decided]) -> None:
        self.head = head
        self.caller = caller
        self.decisions = decisions


class Gate:
    """Judges heads and lines."""

    def __init__(
        self, hosts: frozenset[bytes], callers: Callers, books: Books, limiter: Limiter
    ) -> None:
        self.blocks: dict[bytes, Known] = {}
        self.draining = False
        self.scopes = Scopes()
        # Whether a line brings a version from before a change of routes (sidecar.failover).
        self.is_stray: Callable[[bytes], bool] | None = None
        self.metrics = books.metrics
        self._limiter = limiter
        self._hosts = hosts
        self._callers = callers
        self._decisions: dict[Caller, dict[bytes, Decided]] = {}
        self.policy: Policy | None = None
        self._members: Mapping[str, Member] = {}
        self._prefix = os.urandom(10).hex().encode()
        self._count = 0

    def adopt(self, policy: Policy, members: Mapping[str, Member]) -> None:
        """Decide by these from the next request on."""
        self.policy = policy
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
        if len(line) <= _MEMO_LINE_BYTES and _lasts(decided):
            if len(known.decisions) >= _MEMO_DECISIONS:
                known.decisions.clear()
            known.decisions[line] = decided
        return decided

    def judge_body(self, decided: Decided, caller: Caller, body: Body) -> Decided:
        """Judge again with the body at hand; not remembered."""
        judged = Decided(decided.line, decided.info, caller)
        self._settle(judged, body)
        return judged

    def judge_again(self, decided: Decided) -> Decided:
        """Judge what was judged before, by what is known now; not remembered."""
        judged = Decided(decided.line, decided.info, decided.caller)
        self._settle(judged, None)
        return judged

    def _settle(self, decided: Decided, body: Body | None) -> None:
        verdict: Verdict = _NO_POLICY
        if self.policy is not None:
            verdict = decide(self.policy, self.scopes, decided.caller, decided.info, body)
        if isinstance(verdict, NeedScope):
            decided.scope = verdict
        elif isinstance(verdict, Permit):
            self._permit(decided, verdict, body)
        elif isinstance(verdict, Answer):
            decided.answer = verdict
            decided.rule = verdict.rule
            decided.routed = Counter()
            decided.durations = self.metrics.durations("none", stream=False)
            decided.shared = describe(decided.caller, decided.info, verdict.rule, permitted=True)
        elif isinstance(verdict, Denial):
            self._refuse(decided, verdict)
        elif body is None:
            decided.needs = verdict
        else:
            undecided = "the body cannot be judged"
            self._refuse(decided, Denial(Reason.FORBIDDEN, "policy/undecided", undecided))

    def _permit(self, decided: Decided, permit: Permit, body: Body | None) -> None:
        plan = permit.plan
        looked_into = plan.tagged or plan.inspected
        if plan.tagged and body is None and not decided.safe:
            decided.needs = NeedBody()  # it may name versions, which are another's there
            return
        if not plan.tagged and self.is_stray is not None and self.is_stray(decided.line):
            self._refuse(decided, FOREIGN_VERSION)
            return
        decided.plan = plan
        decided.rule = permit.rule
        decided.audited = permit.audited
        member = self._members[plan.candidates[0]]
        self.place(decided, member)
        alone = plan.kind is PlanKind.SINGLE and len(plan.candidates) == 1 and not looked_into
        if alone and not member.seats.limited and self._limiter.limits is None:
            decided.direct = member

    def place(self, decided: Decided, member: Member) -> None:
        """It goes to this member: count and log it so."""
        decided.member = member
        decided.routed = self.metrics.routings(decided.route or _DEFAULT_ROUTE, member.name)
        decided.durations = self.metrics.durations(member.name, stream=decided.streams)
        decided.shared = describe(
            decided.caller,
            decided.info,
            decided.rule,
            member=member.name,
            route=decided.route,
            audited=decided.audited,
            permitted=True,
        )

    def _refuse(self, decided: Decided, refusal: Denial) -> None:
        decided.refusal = refusal
        decided.rule = refusal.rule
        decided.routed = Counter()
        decided.durations = self.metrics.durations("none", stream=decided.streams)
        decided.shared = describe(decided.caller, decided.info, refusal.rule)


def _lasts(decided: Decided) -> bool:
    """Will the same line be judged alike the next time?"""
    if decided.scope is not None:
        return False
    return decided.refusal is None or decided.refusal.rule not in _PASSING
