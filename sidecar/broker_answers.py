"""Owns reading what the broker answers: a credential, or why there is none. Pure.

Must not show a credential to anybody: it is in a Secret from here on. A credential counts only if
the answer says that it is for the very server and CA that the snapshot names.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.pinning import is_at
from sidecar.policy.verdict import Denial
from sidecar.secret import Secret
from sidecar.status import read_message

if TYPE_CHECKING:
    from sidecar.inquiry import Told
    from sidecar.policy.snapshot import Cluster

_MAX_LIFE_S: Final = 86400
_MOST_WAIT_S: Final = 300
_FORBIDDEN: Final = 403
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_SECONDS: Final = re.compile(rb"[0-9]{1,5}")


class Granted(NamedTuple):
    """A credential, and for how long: a token, or a certificate and its key."""

    token: Secret | None
    certificate: Secret | None  # with its key behind it, in PEM
    seconds: int


class Refused(NamedTuple):
    """None; why, whether one that is held counts no more, and when to ask again at the earliest."""

    message: str
    revoked: bool = False
    retry_after_s: float = 0


def read_grant(told: Told | Denial, cluster: Cluster) -> Granted | Refused:
    """What the broker has answered to a request for a cluster's credential."""
    if isinstance(told, Denial):
        return Refused(told.message)
    if told.status != 200:
        later = int(told.retry_after) if _SECONDS.fullmatch(told.retry_after) else 0
        message = f"the broker answers {told.status}: {read_message(told.content)}"
        return Refused(message, told.status == _FORBIDDEN, min(later, _MOST_WAIT_S))
    try:
        answer = json.loads(told.content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return Refused("what the broker answers is not a JSON object")
    return _judge(answer, cluster)


def _judge(answer: dict[str, object], cluster: Cluster) -> Granted | Refused:
    server, ca, name = (answer.get(key) for key in ("server", "ca", "tlsServerName"))
    if (
        answer.get("cluster") != cluster.name
        or not isinstance(server, str)
        or not isinstance(ca, str)
        or not (name is None or isinstance(name, str))
        or not is_at(cluster, server, ca, name)
    ):
        return Refused(
            "the broker's credential is for another server, CA or name than the snapshot says, "
            "and is not used"
        )
    seconds = answer.get("secondsLeft")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not seconds >= 1:
        return Refused("the broker's credential does not say for how many seconds it counts")
    return _take(answer, min(seconds, _MAX_LIFE_S))


def _take(answer: dict[str, object], seconds: int) -> Granted | Refused:
    token, certificate, key = (answer.get(part) for part in ("token", "certificate", "key"))
    if isinstance(token, str) and certificate is None and key is None:
        if _TOKEN.fullmatch(token) is None:
            return Refused("the broker's token holds characters that no bearer token has")
        return Granted(Secret(token.encode("ascii")), None, seconds)
    if token is None and isinstance(certificate, str) and isinstance(key, str):
        pair = f"{certificate}\n{key}\n".encode("utf-8", "replace")
        return Granted(None, Secret(pair), seconds)
    return Refused("the broker's answer is neither a token nor a certificate with its key")
