"""Owns the snapshot's broker: where credentials that lie in no file are fetched.

It must not say which clusters need it, nor fetch anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sidecar.policy.snapshot_clusters import read_ca_bundle, read_server

if TYPE_CHECKING:
    from sidecar.policy.fields import Check


class Broker(NamedTuple):
    """Where the broker is, and how it proves itself."""

    server: str
    host: str
    port: int
    ca_bundle: bytes


def read_broker(check: Check, value: object) -> Broker | None:
    """The broker of a snapshot; its CA is in the snapshot itself."""
    item = check.fields(value, "broker", ("server", "caBundle"))
    if item is None:
        return None
    server = read_server(check, item["server"], "broker.server")
    bundle = read_ca_bundle(check, item["caBundle"], "broker.caBundle")
    if server is None or bundle is None:
        return None
    if bundle[0] is None:
        check.fail("broker.caBundle", "must be the CA certificates themselves, as base64 of PEM")
        return None
    return Broker(*server, bundle[0])
