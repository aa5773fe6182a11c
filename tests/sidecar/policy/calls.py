"""Calls as tests write them: a method and a target, by a caller."""

from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import Caller

CALLER = Caller("app", "team-a", "default", "pod-1")


def call(method: str, raw: str) -> RequestInfo:
    """What a request asks for."""
    target = parse_target(raw.encode())
    assert isinstance(target, Target)
    info = request_info(method, target)
    assert isinstance(info, RequestInfo)
    return info
