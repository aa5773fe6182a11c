"""Owns what the broker reads at home: each object as it is now, a second old at most.

Not from the stores of the reconcilers: those lag, and whoever has lost a right must not have it for
as long as a watch is broken. Must not judge what it reads.
"""

from functools import partial
from typing import Final

from webhook.controller.broker.flights import Flights
from webhook.controller.broker.threads import Threads
from webhook.kube import Kube, KubeError, RawDocument
from webhook.resources.meta import read_meta
from webhook.resources.names import object_path

_CALL_S: Final = 10.0
# For a wave of pods of one namespace, which all ask for the same.
_KEPT_S: Final = 1.0
_FOR_EVER_S: Final = float("inf")
_NOT_FOUND: Final = 404
_HOME: Final = "kube-system"


class HomeObjects:
    """Every read may raise KubeError; None: there is no such object."""

    def __init__(self, kube: Kube, threads: Threads) -> None:
        self._kube = kube
        self._threads = threads
        self._flights: Flights[RawDocument | None] = Flights(most=2000)

    async def read_pod(self, namespace: str, name: str) -> RawDocument | None:
        """As it is: a token of one that is gone is worth nothing at once."""
        return await self._read(f"/api/v1/namespaces/{namespace}/pods/{name}", 0.0)

    async def read_namespace(self, name: str) -> RawDocument | None:
        return await self._read(f"/api/v1/namespaces/{name}", _KEPT_S)

    async def read_tenant(self, name: str) -> RawDocument | None:
        return await self._read(object_path("Tenant", name), _KEPT_S)

    async def read_cluster(self, name: str) -> RawDocument | None:
        return await self._read(object_path("Cluster", name), _KEPT_S)

    async def read_secret(self, namespace: str, name: str) -> RawDocument | None:
        return await self._read(f"/api/v1/namespaces/{namespace}/secrets/{name}", _KEPT_S)

    async def read_home_uid(self) -> str:
        """By which members tell this cluster from others."""
        found = await self._read(f"/api/v1/namespaces/{_HOME}", _FOR_EVER_S)
        uid = read_meta(found or {}).uid
        if not uid:
            raise KubeError(0, "", f"the namespace {_HOME} of home has no uid")
        return uid

    async def _read(self, path: str, keep_s: float) -> RawDocument | None:
        ask = partial(self._threads.run, partial(_get, self._kube, path))
        return await self._flights.share(path, ask, lambda found: keep_s if found else 0.0)


def _get(kube: Kube, path: str) -> RawDocument | None:
    try:
        return kube.request("GET", path, timeout_s=_CALL_S).document
    except KubeError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
