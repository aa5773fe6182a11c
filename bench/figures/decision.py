"""The price of one decision, in units of a Python function call, and of many rules."""

import json
import time
from collections.abc import Callable, Sequence

from bench.report import Goal, Section, Table
from bench.scene import NAMESPACE
from bench.spread import compare, summarize
from sidecar.policy.decide import Policy, compile_policy, decide
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Snapshot, parse_snapshot
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import Caller, Denial, Permit
from tests.sidecar.policy.many_rules import snapshot_document

CALLER = Caller("app", NAMESPACE, "bench", "bench-0")
SCOPES = Scopes()
POLICY = Policy("bench", None)
for _member in ("home", "east"):
    SCOPES.learn(_member, "", "v1", {"pods": True})
    SCOPES.learn(_member, "apps", "v1", {"deployments": True})
REQUESTS: Sequence[tuple[str, bytes]] = [
    (method, f"/{prefix}/namespaces/{NAMESPACE}/{resource}{rest}".encode())
    for prefix, resource in (("api/v1", "pods"), ("apis/apps/v1", "deployments"))
    for method, rest in (
        ("GET", "/web-0"),
        ("GET", "?limit=500"),
        ("GET", "?watch=true&resourceVersion=42&allowWatchBookmarks=true"),
        ("POST", ""),
        ("PATCH", "/web-0/status?fieldManager=bench&force=true"),
    )
]
RULES_METHOD = (
    "`decide` alone, for those that are no creates, in a tenant with permissions for resources, "
    "names, namespaces and containers, with patterns too, and a route for each ten of them; "
    "loading is `parse_snapshot` and `compile_policy`. Both are measured in each round."
)
METHOD = (
    "`parse_target`, `request_info` and `decide` for ten usual requests, none remembered; "
    "a call is one of a function of one argument that returns it, less its loop."
)


def measure(*, rounds: int) -> list[Section]:
    """Both in every round, a few milliseconds each; the least of many rounds is undisturbed."""
    calls, decisions = [], []
    for _ in range(rounds):
        calls.append(time_calls(20_000))
        decisions.append(time_decisions(300))
    ratio = min(decisions) / min(calls)
    rows = [
        ["a function call", "1", summarize(calls).show(3), f"{min(calls):.3f}"],
        ["a decision", f"{ratio:.0f}", summarize(decisions).show(), f"{min(decisions):.2f}"],
    ]
    table = Table(("", "calls", "µs", "least"), rows)
    return [Section("One decision", METHOD, [table]), measure_rules(rounds=rounds)]


def measure_rules(*, rounds: int) -> Section:
    """A decision by few rules and by many, and what it takes to load the many."""
    raw_few, raw_many = (
        json.dumps(snapshot_document(rules=rules, namespaces=namespaces)).encode()
        for rules, namespaces in ((10, 10), (1000, 200))
    )
    few, many, loads = [], [], []
    for _ in range(rounds):
        by_few, _ = load(raw_few)
        by_many, taken_ms = load(raw_many)
        loads.append(taken_ms)
        few.append(time_rules(by_few, 100))
        many.append(time_rules(by_many, 100))
    ratio, loaded = compare(many, few), summarize(loads)
    rows = [
        ["10 rules, 10 namespaces", summarize(few).show(), f"{min(few):.2f}"],
        ["1,000 rules, 200 namespaces", summarize(many).show(), f"{min(many):.2f}"],
    ]
    return Section(
        "Many rules",
        f"{RULES_METHOD} The larger snapshot has {len(raw_many) // 1024} KiB and is loaded in "
        f"{loaded.show(1)} ms.",
        [Table(("a decision by", "µs", "least"), rows)],
        [
            Goal(
                "A decision by 1,000 rules, in decisions by 10",
                "≤ 2",
                ratio.show(),
                ratio.median <= 2,
            ),
            Goal("A decision by 1,000 rules, µs", "≤ 5", f"{min(many):.2f}", min(many) <= 5),
            Goal("Loading 1,000 rules, ms", "≤ 50", loaded.show(1), loaded.median <= 50),
        ],
    )


def load(raw: bytes) -> tuple[Policy, float]:
    """A policy, and the milliseconds that it took."""
    began = time.process_time_ns()
    snapshot = parse_snapshot(raw)
    if not isinstance(snapshot, Snapshot):
        raise TypeError(snapshot)
    policy = compile_policy(snapshot, frozenset())
    return policy, (time.process_time_ns() - began) / 1e6


def time_rules(policy: Policy, count: int) -> float:
    """Microseconds for one decision."""
    infos = [judged(method, raw) for method, raw in REQUESTS if method != "POST"]

    def run() -> None:
        for _ in range(count):
            for info in infos:
                if not isinstance(decide(policy, SCOPES, CALLER, info), Permit):
                    raise TypeError(info)

    return time_once(run) / (count * len(infos))


def judged(method: str, raw: bytes) -> RequestInfo:
    """What a request asks for."""
    target = parse_target(raw)
    info = target if isinstance(target, Denial) else request_info(method, target)
    if isinstance(info, Denial):
        raise TypeError(info)
    return info


def identity(value: object) -> object:
    """The calibrated call."""
    return value


def time_calls(count: int) -> float:
    """Microseconds for one."""

    def run() -> None:
        for _ in range(count):
            identity(None)

    def spin() -> None:
        for _ in range(count):
            pass

    return (time_once(run) - time_once(spin)) / count


def time_decisions(count: int) -> float:
    """Microseconds for one; a refusal would be another, shorter way."""

    def run() -> None:
        for _ in range(count):
            for method, raw in REQUESTS:
                target = parse_target(raw)
                if isinstance(target, Denial):
                    raise TypeError(target)
                info = request_info(method, target)
                if isinstance(info, Denial):
                    raise TypeError(info)
                if not isinstance(decide(POLICY, SCOPES, CALLER, info), Permit):
                    raise TypeError(raw)

    return time_once(run) / (count * len(REQUESTS))


def time_once(work: Callable[[], None]) -> float:
    """Microseconds of CPU time."""
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / 1000
