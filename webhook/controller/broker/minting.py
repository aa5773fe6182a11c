"""Owns how a token is made on a member, for the account of the same namespace and name there.

Only for one that the member lists for this home and this tenant: a name alone says nothing about
whose it is there (`flux-system` has service accounts, too). Must not believe the member either:
what it answers is as an attacker would have it.
"""

import re
from datetime import datetime
from typing import Final, NamedTuple

from sidecar.secret import Secret
from webhook.controller.broker.refusals import RefusedError
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.claims import is_system
from webhook.resources.meta import mapping, read_meta
from webhook.resources.names import TENANT_UID

HOME_ANNOTATION: Final = "mca.io/home"
TENANT_ANNOTATION: Final = "mca.io/tenant"
_CALL_S: Final = 5.0
# Not there; or not among those that `mca cluster allow` lets us look at, by their names.
_NOT_LISTED: Final = (403, 404)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_MAX_TOKEN: Final = 16384


class Order(NamedTuple):
    """Whose token, and for how long; `home` is the uid of home's kube-system."""

    namespace: str
    account: str
    tenant: str
    tenant_uid: str
    cluster: str
    home: str
    expiration_s: int


class Minted(NamedTuple):
    """A token of the member's API server; its life ends at this Unix time."""

    token: Secret
    expires: float


def mint(member: Kube, order: Order, now: float) -> Minted:
    """Look whether the account is listed, then ask for a token of that very one.

    KubeError: the member did not answer.
    """
    if is_system(order.namespace):
        raise RefusedError("account", "no token is made for a system namespace")
    path = f"/api/v1/namespaces/{order.namespace}/serviceaccounts/{order.account}"
    try:
        account = member.request("GET", path, timeout_s=_CALL_S).document
    except KubeError as error:
        if error.status in _NOT_LISTED:
            raise _refuse(order, "it is not there, or may not be looked at") from None
        raise _complain(order, "GET of the service account", error) from None
    uid = _judge_account(account, order)
    # Of another uid meanwhile, the member answers 409.
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"uid": uid},
        "spec": {"expirationSeconds": order.expiration_s},
    }
    try:
        answer = member.request("POST", f"{path}/token", body, timeout_s=_CALL_S).document
    except KubeError as error:
        raise _complain(order, "TokenRequest", error) from None
    return _read_minted(answer, order, now)


def _judge_account(account: RawDocument, order: Order) -> str:
    meta = read_meta(account)
    if (meta.namespace, meta.name) != (order.namespace, order.account) or not meta.uid:
        raise _refuse(order, "the member answered with another")
    if meta.annotations.get(HOME_ANNOTATION) != order.home:
        raise _refuse(order, f"its annotation {HOME_ANNOTATION} does not name this home")
    if meta.annotations.get(TENANT_ANNOTATION) != order.tenant:
        raise _refuse(order, f"its annotation {TENANT_ANNOTATION} does not name the tenant")
    if meta.annotations.get(TENANT_UID, order.tenant_uid) != order.tenant_uid:
        raise _refuse(order, f"its annotation {TENANT_UID} names an earlier tenant of that name")
    return meta.uid


def _read_minted(answer: RawDocument, order: Order, now: float) -> Minted:
    status = mapping(answer.get("status"))
    token, ends = status.get("token"), status.get("expirationTimestamp")
    if not isinstance(token, str) or len(token) > _MAX_TOKEN or _TOKEN.fullmatch(token) is None:
        raise _distrust(order, "the token that it made is none")
    try:
        expires = datetime.fromisoformat(str(ends)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise _distrust(order, "its token does not say when it expires") from None
    # A member may give less than it is asked for; more is its clock, or a lie.
    expires = min(expires, now + order.expiration_s)
    if expires <= now:
        raise _distrust(order, "its token has expired already: compare the clocks")
    return Minted(Secret(token.encode()), expires)


def _refuse(order: Order, why: str) -> RefusedError:
    who = f"{order.namespace}/{order.account}"
    message = (
        f"the cluster {order.cluster!r} does not list the service account {who} for this home and "
        f"tenant: an admin does so by mca cluster allow"
    )
    return RefusedError("account", message, told=why)


def _complain(order: Order, call: str, error: KubeError) -> Exception:
    if not error.status:
        return error
    message = f"the cluster {order.cluster!r} made no token: try again"
    return RefusedError("member", message, told=f"{call}: {error.status} {error.message[:200]}")


def _distrust(order: Order, why: str) -> RefusedError:
    return RefusedError("member", f"the cluster {order.cluster!r} made no usable token", told=why)
