"""Owns whether a token is what it says: the API server of home judges it, for our audience.

Must not take a review for more than the token: whether its pod is there still, and has a sidecar,
is looked at for each credential.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from webhook.controller.broker.bearer import Claimed, read_bearer
from webhook.controller.broker.flights import Flights
from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.threads import Threads
from webhook.kube import Kube, RawDocument
from webhook.resources.meta import mapping, text_list
from webhook.resources.names import BROKER_AUDIENCE

_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_EXTRA: Final = "authentication.kubernetes.io/"
_CALL_S: Final = 10.0
# How long the API server's word counts, and for how long the same bad token is not asked for again.
GOOD_S: Final = 60.0
_BAD_S: Final = 5.0


class Identity(NamedTuple):
    """A pod that a token is bound to, as the API server says."""

    namespace: str
    account: str
    pod: str
    pod_uid: str


class _Judged(NamedTuple):
    """None: it is nobody's. At which time of the clock that was said."""

    identity: Identity | None
    at: float


class Reviews:
    """Judges tokens; the same one is asked for once a minute at most."""

    def __init__(
        self, kube: Kube, threads: Threads, clock: Callable[[], float] = time.time
    ) -> None:
        self._kube = kube
        self._threads = threads
        self._clock = clock
        self._flights: Flights[_Judged] = Flights(clock=clock)

    def knows(self, token: str) -> bool:
        """Whether nobody has to be asked: it was judged a moment ago."""
        return self._flights.knows(_digest(token))

    async def authenticate(self, token: str, good_s: float = GOOD_S) -> Identity:
        """Whose it is; RefusedError if it is nobody's. KubeError: home cannot be asked.

        What the API server said counts for so long.
        """
        bearer = read_bearer(token, self._clock())
        judged = await self._judge(token, bearer)
        if judged.at < self._clock() - good_s:
            self._flights.forget(_digest(token))
            judged = await self._judge(token, bearer)
        if judged.identity is None:
            raise RefusedError("token", f"the token is none that opens {BROKER_AUDIENCE} here")
        return judged.identity

    async def _judge(self, token: str, bearer: Claimed) -> _Judged:
        now = self._clock()

        def ask() -> _Judged:
            return _Judged(review(self._kube, token, bearer), now)

        def keep_s(judged: _Judged) -> float:
            return _BAD_S if judged.identity is None else max(0.0, bearer.expires - self._clock())

        return await self._flights.share(_digest(token), lambda: self._threads.run(ask), keep_s)


def _digest(token: str) -> bytes:
    """Tokens themselves are not kept."""
    return hashlib.sha256(token.encode()).digest()


def review(kube: Kube, token: str, bearer: Claimed) -> Identity | None:
    """Ask the API server; None unless all that it says is what the token says."""
    spec = {"token": token, "audiences": [BROKER_AUDIENCE]}
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": spec,
    }
    answer = kube.request("POST", _PATH, body, timeout_s=_CALL_S)
    return read_review(mapping(answer.document.get("status")), bearer)


def read_review(status: RawDocument, bearer: Claimed) -> Identity | None:
    """An API server that knows no audiences names none: it takes any token for ours."""
    user = mapping(status.get("user"))
    extra = mapping(user.get("extra"))
    username = f"system:serviceaccount:{bearer.namespace}:{bearer.account}"
    if (
        status.get("authenticated") is not True
        or status.get("error")
        or text_list(status.get("audiences")) != (BROKER_AUDIENCE,)
        or user.get("username") != username
        or _only(extra, "pod-name") != bearer.pod
        or _only(extra, "pod-uid") != bearer.pod_uid
    ):
        return None
    return Identity(bearer.namespace, bearer.account, bearer.pod, bearer.pod_uid)


def _only(extra: dict[str, Any], name: str) -> str | None:
    values = text_list(extra.get(f"{_EXTRA}{name}"))
    return values[0] if len(values) == 1 else None
