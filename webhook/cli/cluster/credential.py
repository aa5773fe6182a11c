"""Owns how the account on a member gets the token that is kept at home.

A member that fills Secrets with tokens gives one that holds until its Secret is deleted; any other
gives one with an end, which is told. Must not show it to anybody.
"""

import base64
import time
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sidecar.secret import Secret
from webhook.cli.cluster.identity import ACCESS_NAMESPACE, Home
from webhook.cli.cluster.member_objects import build_token_secret
from webhook.cli.cluster.steps import StepError, Steps
from webhook.cli.install.paths import find_path
from webhook.kube import KubeError

# A control plane fills such a Secret in moments, where it does so at all: one that makes no service
# accounts does not either.
_FILLED_S: Final = 10.0
_MOMENT_S: Final = 1.0
_DEFAULT: Final = f"/api/v1/namespaces/{ACCESS_NAMESPACE}/serviceaccounts/default"
_POLL_S: Final = 0.1
_YEAR_S: Final = 365 * 86400


class Credential(NamedTuple):
    """`ends` is empty for one without an end."""

    token: Secret
    ends: str = ""


def fetch_credential(steps: Steps, home: Home, account: str) -> Credential:
    """A token of the account; a second time it is the same, where it has no end."""
    secret = build_token_secret(home, account)
    steps.apply_one(secret)
    try:
        filled = _wait_filled(steps, find_path(secret))
        if filled is not None:
            return Credential(filled)
        steps.delete(secret)
        return _request(steps, account)
    except KubeError as error:
        raise StepError(f"{steps.place}: a token of {account}: {error}") from None


def _wait_filled(steps: Steps, path: str) -> Secret | None:
    began = time.monotonic()
    while True:
        data = steps.kube.request("GET", path).document.get("data") or {}
        if data.get("token"):
            return Secret(base64.b64decode(data["token"]))
        waited = time.monotonic() - began
        if waited > _FILLED_S or (waited > _MOMENT_S and steps.find(_DEFAULT) is None):
            return None
        time.sleep(_POLL_S)


def _request(steps: Steps, account: str) -> Credential:
    path = f"/api/v1/namespaces/{ACCESS_NAMESPACE}/serviceaccounts/{account}/token"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _YEAR_S},
    }
    status = steps.kube.request("POST", path, body).document["status"]
    ends = str(status["expirationTimestamp"])
    left = datetime.fromisoformat(ends) - datetime.now(UTC)
    steps.tell(f"a token of {account} for {left.days + 1} days, until {ends}")
    return Credential(Secret(str(status["token"]).encode()), ends)
