"""The form of a snapshot: its revision, its members, its namespaces."""

import hashlib
import json
import re

from tests.webhook.controller.compiling.scene import (
    BROKER,
    CLUSTERS,
    compile_case,
    content,
    make_case,
)
from tests.webhook.resources.objects import (
    CA,
    make_cluster,
    make_namespace,
    make_route,
    make_tenant,
)
from webhook.controller.compiling.document import clip_namespaces


def test_its_revision_is_its_hash() -> None:
    compiled, _ = compile_case(make_route())
    document = content(compiled)
    assert re.fullmatch(r"v1-[0-9a-f]{32}", document["revision"])
    plain = json.dumps({**document, "revision": ""}, sort_keys=True, separators=(",", ":"))
    assert document["revision"] == f"v1-{hashlib.sha256(plain.encode()).hexdigest()[:32]}"
    assert compiled.content == json.dumps(document, sort_keys=True, separators=(",", ":"))


def test_the_same_is_the_same_whatever_the_order() -> None:
    one, _ = compile_case(
        make_route("a"), make_route("b"), namespaces=("team-a", "team-b"), clusters=CLUSTERS
    )
    other, _ = compile_case(
        make_route("b"), make_route("a"), namespaces=("team-b", "team-a"), clusters=CLUSTERS[::-1]
    )
    assert one == other._replace(routes=one.routes)


def test_members_and_how_they_are_proven_to() -> None:
    check = {"path": "/livez"}
    named = make_cluster("eu-1", "Accepted", tlsServerName="k.example.com", healthCheck=check,
                         limits={"maxStreams": 5})  # fmt: skip
    named["metadata"]["labels"] = {"region": "eu"}
    compiled, snapshot = compile_case(clusters=(named, *CLUSTERS[1:]))
    home, one, gold, stored = content(compiled)["clusters"]
    assert home["name"] == "home"
    assert one == {
        "name": "eu-1",
        "server": "https://eu-1.example.com",
        "caBundle": CA,
        "credentials": {"tokenFile": "/var/run/mca/members/eu-1/token"},
        "tlsServerName": "k.example.com",
        "labels": {"region": "eu"},
        "healthCheck": check,
        "limits": {"maxStreams": 5},
    }
    assert gold.keys() == {"name", "server", "caBundle", "credentials"}
    assert stored["credentials"] == {"broker": True}
    assert snapshot.broker is not None
    assert content(compiled)["broker"] == {"server": BROKER.server, "caBundle": CA}


def test_nothing_that_opens_a_cluster_is_in_it() -> None:
    compiled, _ = compile_case(make_route(cluster="stored"))
    assert '"eu"' not in compiled.content  # the name of the Secret


def test_the_broker_is_told_of_as_soon_as_it_is_known() -> None:
    """Sidecars report to it, whether or not it has something for them."""
    for namespace in (make_namespace(tenant="", injection="enabled"), make_namespace(uid="lost")):
        assert "broker" in content(compile_case(namespace=namespace)[0])
        assert "broker" not in content(compile_case(namespace=namespace, broker=None)[0])


def test_the_tenant() -> None:
    tenant = make_tenant(
        mode="audit",
        limits={"watches": 3},
        clusterResources=[{"verbs": ["get"], "groups": [""], "resources": ["nodes"]}],
    )
    compiled, snapshot = compile_case(tenant=tenant, namespaces=("team-b", "team-a"))
    assert snapshot.tenant is not None
    assert snapshot.tenant.namespaces == ("team-a", "team-b")
    assert (snapshot.tenant.name, snapshot.tenant.mode) == ("acme", "audit")
    entry = content(compiled)["tenant"]
    assert entry["limits"] == {"watches": 3}
    assert entry["clusterResources"][0]["resources"] == ["nodes"]


def test_a_namespace_is_always_its_own() -> None:
    """Also before the others know of it."""
    _, snapshot = compile_case(namespaces=())
    assert snapshot.tenant is not None
    assert snapshot.tenant.namespaces == ("team-a",)


def test_more_namespaces_than_a_snapshot_holds() -> None:
    names = tuple(f"a-{number:04}" for number in range(1000))
    compiled, snapshot = compile_case(namespaces=names)
    assert snapshot.tenant is not None
    assert len(snapshot.tenant.namespaces) == 1000
    assert "team-a" in snapshot.tenant.namespaces
    assert "more than 1000 namespaces" in compiled.tenant[-1]
    assert clip_namespaces(make_case(namespaces=names[:999]))[1] == ()
