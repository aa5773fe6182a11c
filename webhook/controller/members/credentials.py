"""Owns what the controller itself shows to a member: a registered credential, or its own token.

Also the proof that such a token does not open home. Must not hand a credential to anybody else, nor
decide whether a Cluster may be used.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple

from sidecar.secret import Secret
from webhook.controller.access.cluster_secret import read_for
from webhook.controller.access.opening import (
    Bearer,
    ClientCertificate,
    Login,
    locate,
    open_member,
)
from webhook.controller.members.acceptance import Held, Proof
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.clusters import Cluster
from webhook.resources.meta import read_meta
from webhook.resources.names import CONTROLLER, LABEL_TENANT

_CALL_S: Final = 5.0
_TOKEN_S: Final = 3600
# What is left of a token's life when the next is asked for.
_RENEW_AT: Final = 2 / 3


class _Issued(NamedTuple):
    token: Secret
    until: float  # when the next is due, by the monotonic clock


@dataclass(slots=True)
class MemberAccess:
    """Of one home; `find` knows the Clusters. Calls may come from several threads.

    `leads`: whether this replica may write, on members as at home.
    """

    kube: Kube
    namespace: str
    find: Callable[[str], Cluster | None]
    leads: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    _issued: dict[str, _Issued] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, name: str) -> Kube:
        """A Cluster that may be used, to be closed in the end; KubeError says why it is not."""
        cluster = self.find(name)
        if cluster is None or not cluster.accepted:
            what = "is not usable" if cluster else "is not there"
            raise KubeError(0, "", f"Cluster {name} {what}: kubectl describe cluster {name}")
        kube = open_member(locate(cluster), self.find_login(cluster))
        return kube.writing_while(self.leads)

    def find_login(self, cluster: Cluster) -> Login:
        """What opens it; KubeError: there is nothing."""
        if cluster.audience:
            return Bearer(self.issue(cluster.audience))
        held = self.read_held(cluster)
        if held.login is None:
            raise KubeError(0, held.reason, held.problem)
        return held.login

    def read_held(self, cluster: Cluster) -> Held:
        """What its Secret holds; KubeError: that could not be read for now."""
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{cluster.secret}"
        named = f"the Secret {self.namespace}/{cluster.secret}"
        try:
            document = self.kube.request("GET", path, timeout_s=_CALL_S).document
        except KubeError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                told = f"{named} is not there: mca cluster add makes it"
                return Held(reason="SecretMissing", problem=told)
            if error.status == HTTPStatus.FORBIDDEN:
                told = f"{named} may not be read: give {CONTROLLER} a Role with its name"
                return Held(reason="SecretForbidden", problem=told)
            raise
        return _read_held(document, cluster, named)

    def issue(self, audience: str) -> Secret:
        """A token of the controller's own account for this audience; KubeError: there is none."""
        with self._lock:
            known = self._issued.get(audience)
        if known is not None and self.clock() < known.until:
            return known.token
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{CONTROLLER}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": _TOKEN_S},
        }
        document = self.kube.request("POST", path, body, timeout_s=_CALL_S).document
        token = Secret(str(document["status"]["token"]).encode())
        with self._lock:
            # Of Clusters that are gone, nobody asks again: their tokens are not kept for that.
            now = self.clock()
            self._issued = {key: kept for key, kept in self._issued.items() if now < kept.until}
            self._issued[audience] = _Issued(token, now + _TOKEN_S * _RENEW_AT)
        return token

    def prove(self, audience: str) -> Proof:
        """Show home a token with this audience, as anybody could: home must not know it.

        It opens home as well where home knows who it is and allows nothing.
        """
        try:
            shown = self.kube.showing_only(self.issue(audience).reveal().decode())
        except KubeError as error:
            return Proof(None, f"no token could be had for it: {error}")
        try:
            shown.request("GET", "/version", timeout_s=_CALL_S)
        except KubeError as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                return Proof(opens=False)
            if error.status == HTTPStatus.FORBIDDEN:
                return Proof(opens=True)
            return Proof(None, str(error))
        finally:
            shown.close()
        return Proof(opens=True)


def _read_held(document: RawDocument, cluster: Cluster, named: str) -> Held:
    found = read_for(document, cluster)
    if not isinstance(found, Bearer | ClientCertificate):
        return Held(reason="SecretInvalid", problem=f"{named}: {'; '.join(found)}")
    tenant = read_meta(document).annotations.get(LABEL_TENANT, "")
    return Held(found, tenant)
