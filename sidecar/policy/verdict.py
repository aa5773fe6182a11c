"""Owns the words that a decision is asked and told in: Caller, Body; Permit, Denial, Answer, Plan.

It must not decide anything.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple, TypeAlias, final

# What the API server itself takes as a request body (MaxRequestBodyBytes).
MAX_BODY_BYTES: Final = 3 * 1024 * 1024

_MAX_SHOWN: Final = 64


class Reason(enum.Enum):
    """Why an answer is ours; the value is the `reason` of the Kubernetes Status."""

    BAD_REQUEST = "BadRequest"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    NOT_ACCEPTABLE = "NotAcceptable"
    REQUEST_TIMEOUT = "RequestTimeout"
    CONFLICT = "Conflict"
    EXPIRED = "Expired"
    REQUEST_ENTITY_TOO_LARGE = "RequestEntityTooLarge"
    UNSUPPORTED_MEDIA_TYPE = "UnsupportedMediaType"
    MISDIRECTED_REQUEST = "MisdirectedRequest"
    TOO_MANY_REQUESTS = "TooManyRequests"
    HEADER_FIELDS_TOO_LARGE = "RequestHeaderFieldsTooLarge"
    INTERNAL_ERROR = "InternalError"
    BAD_GATEWAY = "BadGateway"
    SERVICE_UNAVAILABLE = "ServiceUnavailable"
    TIMEOUT = "Timeout"
    VERSION_NOT_SUPPORTED = "HTTPVersionNotSupported"


REASON_CODES: Final[dict[Reason, int]] = {
    Reason.BAD_REQUEST: 400,
    Reason.UNAUTHORIZED: 401,
    Reason.FORBIDDEN: 403,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.NOT_ACCEPTABLE: 406,
    Reason.REQUEST_TIMEOUT: 408,
    Reason.CONFLICT: 409,
    Reason.EXPIRED: 410,
    Reason.REQUEST_ENTITY_TOO_LARGE: 413,
    Reason.UNSUPPORTED_MEDIA_TYPE: 415,
    Reason.MISDIRECTED_REQUEST: 421,
    Reason.TOO_MANY_REQUESTS: 429,
    Reason.HEADER_FIELDS_TOO_LARGE: 431,
    Reason.INTERNAL_ERROR: 500,
    Reason.BAD_GATEWAY: 502,
    Reason.SERVICE_UNAVAILABLE: 503,
    # The API server's own StatusReasonTimeout is a 504.
    Reason.TIMEOUT: 504,
    Reason.VERSION_NOT_SUPPORTED: 505,
}


class Denial(NamedTuple):
    """A refusal.

    `rule` is stable and meant for machines, `message` says what, why and what to do instead.
    """

    reason: Reason
    rule: str
    message: str


class PlanKind(enum.Enum):
    """How a permitted call is carried out.

    Placing, following and merging over members are added to these.
    """

    # One of the candidates answers: the first that is healthy.
    SINGLE = "single"
    # Every candidate is asked, and the answers are merged; home comes first and wins.
    DISCOVERY = "discovery"
    # The first candidate answers, and what policy does not wholly allow is taken out.
    RULES_REVIEW = "rulesReview"


class Plan(NamedTuple):
    """Where a permitted call goes.

    `candidates` in order; the executor picks among them by health, unseen by the core. `route` is
    the name of the route that chose them. `tagged`: a slice with stand-ins, whose resourceVersions
    carry the member that they come from. `inspected`: every object of the answer must be of the
    namespace that was asked for.
    """

    kind: PlanKind
    candidates: tuple[str, ...]
    route: str = ""
    tagged: bool = False
    inspected: bool = False


# The member that the pod runs in; its name is reserved.
HOME: Final = "home"
HOME_PLAN: Final = Plan(PlanKind.SINGLE, (HOME,))

# Whoever holds this can make a Permit. Only decide.py may name it; a layout test sees to that.
_PERMIT_KEY: Final = object()
_set: Final = object.__setattr__


@final
class Permit:
    """Leave to forward one call. Nothing is forwarded without one, and only `decide` makes one.

    `audited`: the rule by which mode enforce would have refused it, "" where it would not.
    """

    __slots__ = ("audited", "plan", "rule")

    plan: Plan
    rule: str
    audited: str

    def __init__(self, key: object, plan: Plan, rule: str, audited: str = "") -> None:
        if key is not _PERMIT_KEY:
            message = "only sidecar.policy.decide makes a Permit"
            raise TypeError(message)
        _set(self, "plan", plan)
        _set(self, "rule", rule)
        _set(self, "audited", audited)

    def __setattr__(self, name: str, value: object) -> None:
        message = f"a Permit does not change: {name}"
        raise AttributeError(message)

    def __repr__(self) -> str:
        return f"Permit(plan={self.plan!r}, rule={self.rule!r}, audited={self.audited!r})"


class Answer(NamedTuple):
    """An answer that policy itself gives, in JSON: the call goes nowhere."""

    rule: str
    code: int
    content: bytes


class NeedScope(NamedTuple):
    """The verdict hangs on whether a kind has namespaces: learn it and ask again.

    Fetch what `cluster` tells of the group and version. Version "" is "any": a self-review need
    not name one. `others` may be asked where `cluster` does not answer.
    """

    cluster: str
    group: str
    version: str
    resource: str
    others: tuple[str, ...] = ()


class NeedBody(NamedTuple):
    """The verdict hangs on the body: gather at most `limit` bytes (413 beyond) and ask again."""

    limit: int = MAX_BODY_BYTES


# What a decision comes to. Everything but the last two is final.
Verdict: TypeAlias = Permit | Denial | Answer | NeedBody | NeedScope


class Body(NamedTuple):
    """A gathered request body with the header fields that say how the server would read it."""

    content_type: str
    content: bytes
    content_encoding: str = ""


class Caller(NamedTuple):
    """Who calls: the container that the presented token was given to."""

    container: str
    namespace: str
    service_account: str
    pod: str


def shown(text: str) -> str:
    """A name from a request, made fit for a message: short and printable."""
    clipped = text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
    return "".join(char if char.isprintable() else "?" for char in clipped)
