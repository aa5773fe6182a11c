"""Owns what is handed out for a member: a token made there, or what stands in its Secret.

Must not be asked before the grant: grants.py judges who may have it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from sidecar.secret import Secret
from webhook.certificates.signing import read_certificates
from webhook.controller.access.cluster_secret import read_for
from webhook.controller.access.opening import Bearer, Login
from webhook.controller.broker.bearer import read_end
from webhook.controller.broker.flights import Flights
from webhook.controller.broker.home_objects import HomeObjects
from webhook.controller.broker.member_connections import MemberConnections
from webhook.controller.broker.minting import TENANT_ANNOTATION, Minted, Order, mint
from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.reviews import Identity
from webhook.resources.clusters import Cluster, SecretRef, TokenRequest
from webhook.resources.conditions import now_text
from webhook.resources.meta import read_meta
from webhook.resources.names import TENANT_UID
from webhook.resources.tenants import Tenant

# What is stored does not end by itself: so it is asked for again, and then it can be refused.
STATIC_S: Final = 3600.0
# Pods of one account that begin together share a token; whoever was refused with it gets another.
_SHARED_S: Final = 20.0


class Issued(NamedTuple):
    """The secret parts by their keys in the answer, and when they end, in Unix time."""

    form: str
    parts: dict[str, Secret]
    expires: float

    def render(self, cluster: Cluster, now: float) -> dict[str, Any]:
        """The answer."""
        named = {"tlsServerName": cluster.tls_server_name} if cluster.tls_server_name else {}
        return {
            "cluster": cluster.name,
            "server": cluster.server,
            "ca": cluster.ca_digest,
            **named,
            **{key: part.reveal().decode("ascii") for key, part in self.parts.items()},
            "notAfter": now_text(self.expires),
            "secondsLeft": int(self.expires - now),
        }


class Issuing:
    """For one home."""

    def __init__(
        self,
        objects: HomeObjects,
        members: MemberConnections,
        namespace: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._objects = objects
        self._members = members
        self._namespace = namespace
        self._clock = clock
        self._minted: Flights[Minted] = Flights(clock=clock)

    async def issue(self, identity: Identity, tenant: Tenant, cluster: Cluster) -> Issued:
        """What the sidecar of this pod shows to the cluster."""
        secret = await self._objects.read_secret(self._namespace, cluster.secret)
        if secret is None:
            message = f"the credentials of the cluster {cluster.name!r} are gone: ask the admin"
            raise RefusedError("secret", message)
        _judge_owner(read_meta(secret).annotations, tenant, cluster)
        login = read_for(secret, cluster)
        if not isinstance(login, Login):
            message = f"the credentials of the cluster {cluster.name!r} cannot be used"
            raise RefusedError("member", f"{message}: ask the admin", "; ".join(login))
        if isinstance(cluster.credentials, SecretRef):
            issued = hand_out(login, self._clock())
        else:
            version = read_meta(secret).resource_version
            minted = await self._mint(identity, tenant, cluster, version, login)
            issued = Issued("tokenRequest", {"token": minted.token}, minted.expires)
        if issued.expires - self._clock() < 1:
            message = f"the credentials of the cluster {cluster.name!r} have expired: ask the admin"
            raise RefusedError("member", message)
        return issued

    async def _mint(
        self, identity: Identity, tenant: Tenant, cluster: Cluster, version: str, login: Login
    ) -> Minted:
        """One for all pods of an account that ask at the same time."""
        order = Order(
            identity.namespace,
            identity.account,
            tenant.name,
            tenant.uid,
            cluster.name,
            await self._objects.read_home_uid(),
            _lifetime(cluster),
        )
        work = partial(mint, order=order, now=self._clock())
        ask = partial(self._members.ask, cluster, version, login, identity.namespace, work)
        return await self._minted.share(
            (cluster.meta.uid, cluster.meta.generation, version, order),
            lambda: asyncio.ensure_future(ask()),
            lambda minted: min(_SHARED_S, (minted.expires - self._clock()) / 4),
        )


def hand_out(login: Login, now: float) -> Issued:
    """What is stored, for an hour at most."""
    if isinstance(login, Bearer):
        ends = read_end(login.token.reveal())
        parts = {"token": login.token}
    else:
        ends = _find_end(login.certificate)
        parts = {"certificate": Secret(login.certificate.encode()), "key": login.key}
    return Issued("secretRef", parts, min(ends, now + STATIC_S))


def _judge_owner(notes: Mapping[str, str], tenant: Tenant, cluster: Cluster) -> None:
    """What is handed out belongs to one tenant; what mints belongs to nobody."""
    owner = notes.get(TENANT_ANNOTATION)
    handed_out = isinstance(cluster.credentials, SecretRef)
    earlier = notes.get(TENANT_UID, tenant.uid) != tenant.uid
    if owner != (tenant.name if handed_out else None) or (handed_out and earlier):
        told = f"{TENANT_ANNOTATION} of the Secret is {owner!r}"
        message = f"the credentials of the cluster {cluster.name!r} are not this tenant's"
        raise RefusedError("secret", f"{message}: ask the admin", told)


def _lifetime(cluster: Cluster) -> int:
    credentials = cluster.credentials
    return credentials.expiration_s if isinstance(credentials, TokenRequest) else int(STATIC_S)


def _find_end(certificate: str) -> float:
    try:
        return min(found.not_after for found in read_certificates(certificate))
    except ValueError:
        return 0.0
