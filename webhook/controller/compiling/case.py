"""Owns what compiling is given: all that a namespace's snapshot is made of.

Must not fetch any of it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from webhook.resources.claims import Claim
from webhook.resources.clusters import Cluster
from webhook.resources.meta import Invalid, Meta
from webhook.resources.routes import Outline, Route


class Broker(NamedTuple):
    """Where sidecars fetch credentials; the CA as base64 of PEM."""

    server: str
    ca_bundle: str


class Case(NamedTuple):
    """One namespace.

    `namespaces` are all that the claim's tenant holds, `clusters` all by their names, `routes`
    those of this namespace. `broker` None: its CA is not known yet.
    """

    namespace: Meta
    claim: Claim
    namespaces: Sequence[str] = ()
    clusters: Mapping[str, Cluster | Invalid] = {}
    routes: Sequence[Route | Outline | Invalid] = ()
    broker: Broker | None = None
