from hashlib import sha256
from typing import Any

import pytest

from sidecar.pinning import CLOSED, pin
from sidecar.pins import Pin
from sidecar.policy.snapshot import (
    Brokered,
    CertFiles,
    Cluster,
    ClusterLimits,
    HealthCheck,
    Snapshot,
    TokenFile,
    Withheld,
)
from sidecar.policy.snapshot_broker import Broker

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
OWN = Cluster(
    "home", "https://10.0.0.1:443", "10.0.0.1", 443, None, "/own/ca.crt", None,
    TokenFile("/own/token"),
)  # fmt: skip
EU = Cluster(
    "eu-1", "https://eu-1", "eu-1", 443, PEM, None, None, TokenFile("/members/eu-1/token"),
    (("zone", "b"),), HealthCheck(), ClusterLimits(7, 8),
)  # fmt: skip
PIN = Pin("https://eu-1", sha256(PEM).hexdigest())
BROKER = Broker("https://broker:8444", "broker", 8444, PEM)


def fit(
    cluster: Cluster,
    pinned: Pin | None = PIN,
    broker: str = "https://broker:8444",
    offered: Broker | None = BROKER,
) -> Cluster:
    snapshot = Snapshot("v1-0", "team-a", (cluster,), broker=offered)
    pins = {"eu-1": pinned} if pinned else {}
    (found,) = pin(snapshot, OWN, pins, broker, "/members").clusters
    return found


def test_home_is_the_pods_own_whatever_the_snapshot_says() -> None:
    told = Cluster(
        "home", "https://evil", "evil", 443, PEM, None, "evil", TokenFile("/etc/shadow"),
        (("a", "b"),), HealthCheck("/x"), ClusterLimits(1, 2),
    )  # fmt: skip
    assert fit(told) == OWN._replace(
        labels=(("a", "b"),), health=HealthCheck("/x"), limits=ClusterLimits(1, 2)
    )


@pytest.mark.parametrize(
    ("changes", "pinned"),
    [
        ({}, PIN),
        ({"server": "https://eu-1:443"}, PIN),
        ({"server": "https://EU-1"}, PIN),
        ({}, PIN._replace(server="https://eu-1:443")),
        ({"tls_server_name": "api"}, PIN._replace(tls_server_name="api")),
    ],
)
def test_a_token_goes_where_it_was_made_for(changes: dict[str, Any], pinned: Pin) -> None:
    cluster = EU._replace(**changes)
    assert fit(cluster, pinned) == cluster


@pytest.mark.parametrize(
    ("changes", "pinned", "why"),
    [
        ({"server": "https://evil"}, PIN, "its server or CA was changed after this pod was made"),
        ({"server": "https://eu-1:8443"}, PIN, "its server or CA was changed"),
        ({"ca_bundle": PEM + PEM}, PIN, "its server or CA was changed"),
        ({"tls_server_name": "evil"}, PIN, "its server or CA was changed"),
        ({}, PIN._replace(tls_server_name="api"), "its server or CA was changed"),
        ({}, None, "registered after this pod was made, which has no token for it; restart"),
        ({"credentials": TokenFile("/own/token")}, PIN, "elsewhere than /members/eu-1/token"),
        ({"credentials": TokenFile("/members/us/token")}, PIN, "elsewhere than /members/eu-1/"),
        ({"credentials": CertFiles("/c", "/k")}, PIN, "certificate in files"),
        ({"ca_bundle": None, "ca_file": "/ca"}, PIN, "its CA is to be read from a file"),
        ({"name": CLOSED}, PIN, "the Route that takes this call names a cluster that cannot"),
    ],
)
def test_what_does_not_fit_bars_its_cluster(
    changes: dict[str, Any], pinned: Pin | None, why: str
) -> None:
    found = fit(EU._replace(**changes), pinned)
    assert isinstance(found.credentials, Withheld)
    assert why in found.credentials.reason
    assert (found.ca_bundle, found.ca_file, found.health) == (b"", None, None)
    assert found.labels == EU.labels


def test_the_broker_needs_no_pin() -> None:
    brokered = EU._replace(credentials=Brokered())
    assert fit(brokered, None) == brokered
    assert fit(brokered, None, "https://BROKER:8444") == brokered


@pytest.mark.parametrize(
    ("broker", "offered", "why"),
    [
        ("", BROKER, "the broker, which this pod does not know; restart the pod"),
        ("https://broker:8444", None, "the broker is elsewhere"),
        ("https://broker:9444", BROKER, "the broker is elsewhere than when this pod was made"),
    ],
)
def test_but_the_broker_of_the_pod(broker: str, offered: Broker | None, why: str) -> None:
    found = fit(EU._replace(credentials=Brokered()), None, broker, offered)
    assert isinstance(found.credentials, Withheld)
    assert why in found.credentials.reason


def test_one_that_does_not_fit_leaves_the_others() -> None:
    bad = EU._replace(name="us-1", credentials=TokenFile("/members/us-1/token"))
    snapshot = Snapshot("v1-0", "team-a", (EU, bad, OWN))
    pinned = pin(snapshot, OWN, {"eu-1": PIN}, "", "/members")
    assert pinned.clusters[0] == EU
    assert isinstance(pinned.clusters[1].credentials, Withheld)
    assert pinned.clusters[2] == OWN
    assert pinned._replace(clusters=()) == snapshot._replace(clusters=())
