"""Clusters are read, and refused with the field and the reason."""

import hashlib
from typing import Any

import pytest

from tests.webhook.resources.objects import CA, PEM, make_cluster, make_condition
from webhook.resources.clusters import Audience, Cluster, SecretRef, parse_cluster, token_file
from webhook.resources.meta import Invalid


def parse(document: Any) -> Cluster:
    cluster = parse_cluster(document)
    assert isinstance(cluster, Cluster), cluster
    return cluster


def problems(document: Any) -> str:
    invalid = parse_cluster(document)
    assert isinstance(invalid, Invalid)
    return "\n".join(invalid.problems)


def test_a_cluster() -> None:
    check = {"path": "/livez", "intervalSeconds": 5}
    raw = make_cluster("eu-1", "Accepted", tlsServerName="k.example.com", healthCheck=check,
                       limits={"maxStreams": 5})  # fmt: skip
    raw["metadata"]["labels"] = {
        "region": "eu", "kubernetes.io/metadata.name": "x", "topology.kubernetes.io/zone": "a",
        "example.com/kubernetes.io": "kept",
    }  # fmt: skip
    cluster = parse(raw)
    assert cluster.name == "eu-1"
    assert cluster.server == "https://eu-1.example.com"
    assert (cluster.ca_bundle, cluster.pem) == (CA, PEM)
    assert cluster.ca_digest == hashlib.sha256(PEM).hexdigest()
    assert cluster.tls_server_name == "k.example.com"
    assert (cluster.health_check, cluster.limits) == (check, {"maxStreams": 5})
    assert cluster.labels == {"region": "eu", "example.com/kubernetes.io": "kept"}
    assert (cluster.accepted, cluster.enforced) == (True, False)
    assert (cluster.audience, cluster.secret) == ("mca.io/cluster/uid-eu-1", "")


def test_no_more_labels_than_a_snapshot_holds() -> None:
    raw = make_cluster()
    raw["metadata"]["labels"] = {f"l{number:03}": "x" for number in range(100)}
    assert list(parse(raw).labels) == [f"l{number:03}" for number in range(64)]


def test_its_credentials() -> None:
    named = parse(make_cluster(credentials={"audience": {"name": "kube.example.com"}}))
    assert (named.credentials, named.audience) == (Audience("kube.example.com"), "kube.example.com")
    stored = parse(make_cluster(credentials={"secretRef": {"name": "eu"}}))
    assert (stored.credentials, stored.audience, stored.secret) == (SecretRef("eu"), "", "eu")


def test_a_verdict_on_an_earlier_generation_does_not_count() -> None:
    raw = make_cluster("eu-1", "Enforced")
    raw["status"]["conditions"].append(make_condition("Accepted", observedGeneration=0))
    cluster = parse(raw)
    assert (cluster.accepted, cluster.enforced) == (False, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"server": "http://eu-1"}, "spec.server: must be https://host"),
        ({"server": None}, "spec.server: is missing"),
        ({"caBundle": "eA=="}, "spec.caBundle: must be the CA certificates as base64 of PEM"),
        ({"caBundle": {"caFile": "/etc/passwd"}}, "spec.caBundle: must be the CA certificates"),
        ({"tlsServerName": "a b"}, "spec.tlsServerName: must be null or a DNS name"),
        ({"healthCheck": {"intervalSeconds": 0}}, "spec.healthCheck.intervalSeconds: must be"),
        ({"limits": {"maxStreams": -1}}, "spec.limits.maxStreams: must be a whole number"),
        ({"credentials": {}}, "spec.credentials: must be exactly one of"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(change: Any, told: str) -> None:
    assert told in problems(make_cluster(**{"credentials": {"audience": {}}, **change}))


@pytest.mark.parametrize("name", ["home", "mca-closed"])
def test_names_that_are_not_for_members(name: str) -> None:
    assert "metadata.name: home and mca-… are for MCA itself" in problems(make_cluster(name))


def test_a_name_that_is_no_label_is_told_once() -> None:
    told = problems(make_cluster("a.b"))
    assert told == "metadata.name: must be a DNS-1123 label of at most 63 characters"


def test_labels_are_told_of_where_they_are() -> None:
    raw = make_cluster()
    raw["metadata"]["labels"] = {"a": "no spaces"}
    assert problems(raw).startswith("metadata.labels.a: must be a label's value")


def test_where_its_token_lies() -> None:
    assert token_file("eu-1") == "/var/run/mca/members/eu-1/token"
