"""Callers against their tenant's limits: who may begin, and when to come again."""

import pytest

from sidecar.limits import Bucket, Limiter, Refused, catches
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.snapshot_tenant import Rate, TenantLimits
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import Reason


def info(path: str, method: str = "GET") -> RequestInfo:
    target = parse_target(path.encode())
    assert isinstance(target, Target)
    found = request_info(method, target)
    assert isinstance(found, RequestInfo)
    return found


LIST = info("/api/v1/namespaces/a/pods")
WATCH = info("/api/v1/namespaces/a/pods?watch=1")
LOG = info("/api/v1/namespaces/a/pods/p/log")
EXEC = info("/api/v1/namespaces/a/pods/p/exec")
VERSION = info("/version")


def limiter(**limits: object) -> Limiter:
    made = Limiter()
    made.adopt(TenantLimits(**limits))  # type: ignore[arg-type]
    return made


def begin(of: Limiter, asked: RequestInfo, caller: str = "app", now: float = 0.0) -> object:
    return of.begin(caller, asked, now)


def test_without_limits_nothing_is_counted() -> None:
    assert begin(Limiter(), LIST) is None


def test_calls_under_way_are_counted_out_when_they_end() -> None:
    own = limiter(concurrent_requests=2)
    ends = [begin(own, LIST) for _ in range(2)]
    refused = begin(own, LIST)
    assert isinstance(refused, Refused)
    assert refused.refusal.rule == "limit/concurrent-requests"
    assert (refused.refusal.reason, refused.retry_after_s) == (Reason.TOO_MANY_REQUESTS, 1)
    assert callable(begin(own, LIST, "other")), "another container has its own"
    assert callable(begin(own, WATCH)), "a watch is no call that ends soon"
    assert callable(ends[0])
    ends[0]()
    assert callable(begin(own, LIST))


@pytest.mark.parametrize("stream", [WATCH, LOG, EXEC])
def test_streams_have_their_own_limit(stream: RequestInfo) -> None:
    own = limiter(watches=1)
    end = begin(own, stream)
    refused = begin(own, WATCH)
    assert isinstance(refused, Refused)
    assert refused.refusal.rule == "limit/watches"
    assert callable(begin(own, LIST))
    assert callable(end)
    end()
    assert callable(begin(own, stream))


def test_a_rate_holds_for_what_it_names() -> None:
    own = limiter(rates=(Rate(("list",), ("",), ("pods",), 2.0, 3),))
    for _ in range(3):
        assert callable(begin(own, LIST))
    refused = begin(own, LIST)
    assert isinstance(refused, Refused)
    assert (refused.refusal.rule, refused.retry_after_s) == ("limit/rate", 1)
    assert callable(begin(own, WATCH))
    assert callable(begin(own, LIST, "other"))
    assert callable(begin(own, LIST, now=0.5))
    assert isinstance(begin(own, LIST, now=0.5), Refused)


def test_a_slow_rate_says_when_to_come_again() -> None:
    own = limiter(rates=(Rate(("*",), ("*",), ("*",), 0.1, 1),))
    assert callable(begin(own, VERSION))
    refused = begin(own, LIST, now=1.0)
    assert isinstance(refused, Refused)
    assert refused.retry_after_s == 9


def test_of_several_rates_none_is_used_up_by_a_refusal() -> None:
    own = limiter(
        rates=(Rate(("*",), ("*",), ("*",), 0.01, 5), Rate(("list",), ("",), ("pods",), 1.0, 1))
    )
    assert callable(begin(own, LIST))
    for _ in range(10):
        assert isinstance(begin(own, LIST), Refused)
    for _ in range(4):
        assert callable(begin(own, WATCH))


def test_new_limits_keep_what_is_under_way() -> None:
    own = limiter(concurrent_requests=5)
    ends = [begin(own, LIST) for _ in range(3)]
    own.adopt(TenantLimits(concurrent_requests=3))
    assert isinstance(begin(own, LIST), Refused)
    own.adopt(None)
    assert begin(own, LIST) is None
    for end in ends:
        assert callable(end)
        end()
    own.adopt(TenantLimits(concurrent_requests=1))
    assert callable(begin(own, LIST))


def test_a_bucket_fills_up_to_its_burst() -> None:
    bucket = Bucket(10.0, 2, 0.0)
    taken = 0
    while not bucket.wait_s(100.0):
        bucket.take()
        taken += 1
    assert taken == 2
    assert bucket.wait_s(100.0) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("rate", "caught"),
    [
        ((("*",), ("*",), ("*",)), (LIST, WATCH, LOG, EXEC, VERSION)),
        ((("create",), ("",), ("pods/exec",)), (EXEC,)),
        ((("get",), ("",), ("pods",)), ()),
        ((("get",), ("",), ("pods/*",)), (LOG,)),
        ((("*",), ("",), ("*/exec",)), (EXEC,)),
        ((("*",), ("apps",), ("*",)), ()),
        ((("list", "watch"), ("",), ("pods", "secrets")), (LIST, WATCH)),
    ],
)
def test_what_a_rate_catches(
    rate: tuple[tuple[str, ...], ...], caught: tuple[RequestInfo, ...]
) -> None:
    made = Rate(rate[0], rate[1], rate[2], 1.0, 1)
    found = [asked for asked in (LIST, WATCH, LOG, EXEC, VERSION) if catches(made, asked)]
    assert tuple(found) == caught


def test_kinds_are_looked_up_at_a_bounded_pace() -> None:
    """Also where a tenant has no limits: these are calls of the sidecar's own."""
    own = Limiter()
    assert [own.look_up("app", 0.0) for _ in range(60)] == [None] * 60
    refused = own.look_up("app", 0.0)
    assert refused is not None
    assert (refused.refusal.rule, refused.retry_after_s) == ("limit/kinds", 1)
    assert own.look_up("other", 0.0) is None
    assert [own.look_up("app", 1.0) is None for _ in range(11)] == [True] * 10 + [False]
