"""The price of one decision, in units of a Python function call on the same interpreter."""

import time
from collections.abc import Callable, Sequence

from bench.report import Section, Table
from bench.scene import NAMESPACE
from bench.spread import summarize
from sidecar.policy.decide import Policy, decide
from sidecar.policy.requestinfo import request_info
from sidecar.policy.scopes import Scopes
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import Caller, Denial, Permit

CALLER = Caller("app", NAMESPACE, "bench", "bench-0")
SCOPES = Scopes()
POLICY = Policy("bench", None)
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
    return [Section("One decision", METHOD, [table])]


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
