"""Which members a namespace's pods get tokens for."""

import base64
import hashlib
from typing import Any

import pytest

from webhook.admission.membership import Membership, keep_member, keep_namespace, keep_tenant
from webhook.admission.provision import Member, NoMembers

PEM = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"
BUNDLE = base64.b64encode(PEM.encode()).decode()


def make_cluster(name: str, accepted: str = "True", **credentials: Any) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": accepted, "reason": "Any", "observedGeneration": 1}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "server": f"https://{name}.example.com",
            "caBundle": BUNDLE,
            "credentials": credentials or {"audience": {}},
        },
        "status": {"conditions": [condition]},
    }


def make_tenant(name: str, *clusters: str, **metadata: Any) -> dict[str, Any]:
    spec = {"namespaces": {"names": [f"{name}-1"]}, "clusters": list(clusters)}
    return {"metadata": {"name": name, "uid": f"uid-{name}", **metadata}, "spec": spec}


def spoil(tenant: dict[str, Any]) -> dict[str, Any]:
    return {**tenant, "spec": {**tenant["spec"], "permissions": "all"}}


def make_namespace(name: str, tenant: str, uid: str = "") -> dict[str, Any]:
    labels = {"mca.io/tenant": tenant, "team": "x"}
    annotations = {"mca.io/tenant-uid": uid, "note": "y"} if uid else {}
    return {"metadata": {"name": name, "labels": labels, "annotations": annotations}}


def follow(*documents: dict[str, Any]) -> Membership:
    """What reflectors would put there."""
    membership = Membership("mca-system")
    tenants = [keep_tenant(each) for each in documents if "namespaces" in each.get("spec", {})]
    clusters = [keep_member(each) for each in documents if "server" in each.get("spec", {})]
    spaces = [keep_namespace(each) for each in documents if "spec" not in each]
    membership.tenants.replace({each.name: each for each in tenants})
    membership.clusters.replace({each.name: each for each in clusters if each})
    membership.namespaces.replace({each.name: each for each in spaces if each})
    return membership


def test_those_of_its_tenant() -> None:
    membership = follow(
        make_cluster("eu"), make_cluster("us"), make_cluster("asia"),
        make_tenant("team", "us", "eu"),
        make_namespace("team-1", "team", "uid-team"),
    )  # fmt: skip
    digest = hashlib.sha256(PEM.encode()).hexdigest()
    assert membership.find("team-1") == (
        Member("eu", "https://eu.example.com", digest, "mca.io/cluster/uid-eu"),
        Member("us", "https://us.example.com", digest, "mca.io/cluster/uid-us"),
    )
    assert membership.find("team-2") == ()


def test_the_name_that_its_certificate_is_verified_by() -> None:
    cluster = make_cluster("eu")
    cluster["spec"]["tlsServerName"] = "kubernetes.default.svc"
    membership = follow(cluster, make_tenant("team", "eu"), make_namespace("team-1", "team"))
    assert [each.tls_server_name for each in membership.find("team-1")] == [
        "kubernetes.default.svc"
    ]


def test_an_audience_that_is_named() -> None:
    membership = follow(
        make_cluster("eu", audience={"name": "eu.example.com"}),
        make_tenant("team", "eu"),
        make_namespace("team-1", "team"),
    )
    assert [each.audience for each in membership.find("team-1")] == ["eu.example.com"]


def test_an_edit_that_is_not_judged_yet_takes_no_token_away() -> None:
    cluster = make_cluster("eu")
    cluster["metadata"]["generation"] = 2
    membership = follow(cluster, make_tenant("team", "eu"), make_namespace("team-1", "team"))
    assert [each.name for each in membership.find("team-1")] == ["eu"]


@pytest.mark.parametrize(
    "cluster",
    [
        make_cluster("eu", accepted="False"),
        make_cluster("eu", secretRef={"name": "s"}),
        make_cluster("eu", tokenRequest={"secretRef": {"name": "s"}}),
        make_cluster("home"),
        make_cluster("us"),
    ],
    ids=["not accepted", "by a Secret", "by the broker", "invalid", "another"],
)
def test_no_token_for(cluster: dict[str, Any]) -> None:
    tenant, space = make_tenant("team", "eu", "home"), make_namespace("team-1", "team")
    assert follow(cluster, tenant, space).find("team-1") == ()


@pytest.mark.parametrize(
    ("tenant", "space"),
    [
        (make_tenant("team", "eu"), make_namespace("team-2", "team")),
        (make_tenant("team", "eu"), make_namespace("team-1", "team", "uid-before")),
        (make_tenant("team", "eu"), make_namespace("team-1", "other", "uid-team")),
        (make_tenant("team", "eu", deletionTimestamp="x"), make_namespace("team-1", "team")),
        (spoil(make_tenant("team", "eu")), make_namespace("team-1", "team")),
    ],
    ids=["not selected", "another uid", "another label", "being deleted", "cannot be taken"],
)
def test_nothing_in_a_namespace_that_is_denied(
    tenant: dict[str, Any], space: dict[str, Any]
) -> None:
    assert follow(make_cluster("eu"), tenant, space).find("team-1") == ()


def test_little_is_kept() -> None:
    assert keep_namespace({"metadata": {"name": "a", "labels": {"team": "x"}}}) is None
    kept = keep_namespace(make_namespace("team-1", "team", "u"))
    assert kept is not None
    assert kept.labels == {"mca.io/tenant": "team"}
    assert kept.annotations == {"mca.io/tenant-uid": "u"}
    assert keep_tenant(make_tenant("team", annotations={"a": "b" * 1000})).meta.annotations == {}


def test_it_says_what_is_not_there_yet() -> None:
    membership = Membership("mca-system")
    assert membership.lacks == "the list of Tenants and Clusters and namespaces is not there yet"
    membership.tenants.replace({})
    membership.clusters.replace({})
    assert membership.lacks == "the list of namespaces is not there yet"
    membership.namespaces.replace({})
    assert membership.lacks == ""


def test_without_the_controller_there_are_none() -> None:
    assert (NoMembers().lacks, NoMembers().find("team-1")) == ("", ())
