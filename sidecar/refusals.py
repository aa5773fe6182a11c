"""Owns the words of the refusals that the wire itself makes: what is wrong, and what to do.

Must not decide when one is due.
"""

from sidecar.policy.verdict import Denial, Reason

SHED = Denial(
    Reason.SERVICE_UNAVAILABLE,
    "overload/shed",
    "the sidecar is out of memory or descriptors; nothing was sent, try again",
)
BODIES = Denial(
    Reason.SERVICE_UNAVAILABLE,
    "overload/bodies",
    "too many bodies wait to be judged; nothing was sent, try again",
)
BODY_TOO_LARGE = Denial(
    Reason.REQUEST_ENTITY_TOO_LARGE,
    "http/body",
    "this call is judged by its body, which is larger than what can be judged; send less at once",
)
UPGRADE = Denial(
    Reason.BAD_REQUEST, "http/upgrade", "only exec, attach and portforward can be upgraded"
)
LINE_ENDS = Denial(
    Reason.BAD_REQUEST,
    "http/line-ends",
    "the request is not HTTP/1.1: its lines do not end in CRLF, or it begins with no method",
)
HEAD_STALLED = Denial(
    Reason.REQUEST_TIMEOUT,
    "http/stalled",
    "the request, its head or its body, did not arrive in time; send it without pauses",
)
CLUSTER_REPLACED = Denial(
    Reason.EXPIRED, "snapshot/cluster", "the cluster behind this watch was replaced; list again"
)

CLUSTER_MOVED = Denial(
    Reason.EXPIRED,
    "route/moved",
    "this slice is served by another cluster now, because of the health of its members; list again",
)
ROUTE_CHANGED = Denial(
    Reason.EXPIRED,
    "route/changed",
    "the policy has changed, and another cluster serves this now; begin anew, lists first",
)
FOREIGN_VERSION = Denial(
    Reason.EXPIRED,
    "route/version",
    "this resourceVersion or continue token is not of the cluster that serves this slice now; "
    "list again",
)
FOREIGN_WRITE = Denial(
    Reason.CONFLICT,
    "route/foreign-write",
    "this object was read from another cluster than the one that takes its writes; "
    "read it again, then apply the change",
)
NOT_ACCEPTABLE = Denial(
    Reason.NOT_ACCEPTABLE,
    "route/accept",
    "objects of this route are checked on their way: accept application/json or "
    "application/vnd.kubernetes.protobuf",
)


def head_too_large(limit: int) -> Denial:
    """The request's head is over the limit."""
    return Denial(
        Reason.HEADER_FIELDS_TOO_LARGE,
        "http/head",
        f"the request head is larger than {limit} bytes; MCA_HEAD_BYTES of the sidecar sets that",
    )


def bad_body(why: str) -> Denial:
    """The request's body is not framed as its head said."""
    return Denial(
        Reason.BAD_REQUEST, "http/framing", f"the request's body: {why}; send what its head says"
    )


def unreadable_body(why: str) -> Denial:
    """A body that must be rewritten for its cluster, and cannot be read."""
    return Denial(
        Reason.BAD_REQUEST,
        "route/body",
        f"the request's body cannot be read, and its versions must be rewritten: {why}",
    )


def no_seat(cluster: str, limit: int) -> Denial:
    """As many calls are under way at the cluster as its limit allows."""
    return Denial(
        Reason.TOO_MANY_REQUESTS,
        "limit/connections",
        f"no call to cluster {cluster} could begin in time: its limits.maxConnections is {limit}, "
        "shared by the containers of this pod; nothing was sent, try again",
    )


def no_stream(cluster: str, limit: int) -> Denial:
    """As many streams are open at the cluster as its limit allows."""
    return Denial(
        Reason.TOO_MANY_REQUESTS,
        "limit/streams",
        f"no further watch, log or tunnel can be opened to cluster {cluster}: its "
        f"limits.maxStreams is {limit}, shared by the containers of this pod; close some",
    )
