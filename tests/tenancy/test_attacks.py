"""Attacks 27 to 31, 34 to 42 and 45 on real servers: what a tenant's caller tries one by one.

Each is refused by its rule, and no cluster saw it; beside it stands what is allowed.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.sidecar_process import SidecarProcess
from tests.tenancy.probe import Probe, is_canary
from tests.tenancy.scene import EVERYTHING, TENANT, Scene
from tests.tenancy.town import (
    CONFIGMAPS,
    DEFINITIONS,
    GADGETS,
    GROUP,
    LEASES,
    MARKER,
    NAMESPACES,
    NODES,
    OURS,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    STORAGE_CLASSES,
    THEIRS,
    VOLUMES,
    WIDGETS,
    Kind,
    definition,
    object_of,
)

pytestmark = pytest.mark.apiserver

HERE, DEV = OURS
POD = PODS.path(HERE, "web-0")
AUTHENTICATION = "/apis/authentication.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"
PROTOBUF = "application/vnd.kubernetes.protobuf"
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
}
SPDY = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4"}
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"


@pytest.fixture(scope="module")
def probe(scene: Scene) -> Probe:
    """The tenant that may do everything in its namespaces."""
    return Probe(scene)


def permission(name: str, **fields: Any) -> dict[str, Any]:
    return EVERYTHING | {"name": name} | fields


READER = permission("read", verbs=["get", "list", "watch"])
LITERAL = [
    permission("reviews", groups=["authentication.k8s.io"], resources=["tokenreviews"]),
    permission(
        "accesses",
        groups=["authorization.k8s.io"],
        resources=["subjectaccessreviews", "localsubjectaccessreviews"],
    ),
    permission("roles", groups=["rbac.authorization.k8s.io"], resources=["roles", "rolebindings"]),
    permission("bindings", groups=[""], resources=["bindings", "pods/binding"]),
    {
        "name": "metrics",
        "effect": "allow",
        "verbs": ["get"],
        "nonResourcePaths": ["/metrics", "/openid/*"],
    },
]


def started(scene: Scene, **changes: Any) -> SidecarProcess:
    return scene.make_sidecar(TENANT | changes)


@pytest.fixture(scope="module")
def reader(scene: Scene) -> Iterator[Probe]:
    """A tenant that may only read."""
    with started(scene, permissions=[READER]) as sidecar:
        yield Probe(scene, sidecar)


@pytest.fixture(scope="module")
def literal(scene: Scene) -> Iterator[Probe]:
    """A tenant whose permissions name what no wildcard covers."""
    with started(scene, permissions=[EVERYTHING, *LITERAL]) as sidecar:
        yield Probe(scene, sidecar)


# 27


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward"])
@pytest.mark.parametrize(("method", "upgrade"), [("GET", WEBSOCKET), ("POST", SPDY)])
def test_27_who_may_only_read_gets_no_tunnel(
    reader: Probe, probe: Probe, method: str, upgrade: dict[str, str], subresource: str
) -> None:
    target = f"{POD}/{subresource}?command=id&container=app"
    reader.refuse(method, target, "default/deny", headers=upgrade)
    # The pod is on no node: so far it comes where it is allowed.
    answer, event = probe.forward(method, target, status=400, headers=upgrade)
    assert b"does not have a host assigned" in answer.body
    assert event["objectRef"]["subresource"] == subresource


# 28


@pytest.mark.parametrize(
    "target",
    [
        f"{POD}/proxy",
        f"{POD}/proxy/metrics",
        f"/api/v1/namespaces/{HERE}/services/web-0/proxy/x",
        f"/api/v1/namespaces/{HERE}/services/https:web-0:443/proxy",
        "/api/v1/nodes/theirs/proxy/metrics",
        f"/api/v1/proxy/namespaces/{HERE}/pods/web-0",
        "/api/v1/proxy/nodes/theirs",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_28_nothing_is_proxied(probe: Probe, method: str, target: str) -> None:
    probe.refuse(method, target, "guard/proxy")


# 29


def test_29_a_token_of_ones_own_account_only_for_somebody_else(probe: Probe) -> None:
    ours = f"/api/v1/namespaces/{HERE}/serviceaccounts/web-0/token"
    theirs = f"/api/v1/namespaces/{THEIRS}/serviceaccounts/web-0/token"
    vault = {"spec": {"audiences": ["vault.example"]}}
    probe.refuse("POST", ours, "guard/token-request", {"spec": {}})
    probe.refuse("POST", theirs, "tenant/namespace", vault)
    answer, _ = probe.forward("POST", ours, vault, status=201)
    token = answer.json()["status"]["token"]
    assert probe.scene.home.request("GET", "/api", token=token).status == 401


# 30


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{AUTHENTICATION}/tokenreviews", {"spec": {"token": "x"}}),
        (
            f"{AUTHORIZATION}/subjectaccessreviews",
            {"spec": {"user": "u", "resourceAttributes": {"verb": "get", "resource": "pods"}}},
        ),
        (
            f"{AUTHORIZATION}/namespaces/{HERE}/localsubjectaccessreviews",
            {
                "metadata": {"namespace": HERE},
                "spec": {
                    "user": "u",
                    "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": HERE},
                },
            },
        ),
    ],
    ids=["token", "subject", "local"],
)
def test_30_reviews_of_others_are_allowed_by_name_only(
    probe: Probe, literal: Probe, path: str, body: dict[str, Any]
) -> None:
    probe.refuse("POST", path, "default/deny", body)
    answer, _ = literal.forward("POST", path, body, status=201)
    assert "status" in answer.json()


def test_30_reviews_of_others_stay_in_the_tenants_namespaces(literal: Probe) -> None:
    path = f"{AUTHORIZATION}/namespaces/{THEIRS}/localsubjectaccessreviews"
    literal.refuse("POST", path, "tenant/namespace", {"spec": {}})


@pytest.mark.parametrize(
    ("namespace", "allowed"), [(HERE, True), (DEV, True), (THEIRS, False), ("", False)]
)
def test_30_self_reviews_tell_what_would_happen(
    probe: Probe, namespace: str, allowed: bool
) -> None:
    attributes = {"namespace": namespace, "verb": "list", "resource": "pods"}
    review = {"spec": {"resourceAttributes": attributes}}
    answer = probe.ask("POST", f"{AUTHORIZATION}/selfsubjectaccessreviews", review)
    assert (answer.status, answer.json()["status"]["allowed"]) == (201, allowed)


# 31


def test_31_its_own_namespace_is_shown_by_rule(probe: Probe) -> None:
    answer, event = probe.forward("GET", NAMESPACES.path("", HERE))
    assert answer.json()["metadata"]["name"] == HERE
    assert event["objectRef"]["name"] == HERE


@pytest.mark.parametrize("name", [HERE, THEIRS])
@pytest.mark.parametrize(
    ("method", "suffix"),
    [
        ("PATCH", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("PATCH", "/status"),
        ("PUT", "/status"),
        ("PUT", "/finalize"),
        ("POST", "/finalize"),
        ("GET", "/status"),
    ],
)
def test_31_namespaces_are_not_written(probe: Probe, method: str, suffix: str, name: str) -> None:
    body = b'{"metadata":{"labels":{"mca.io/injection":null}}}'
    path = f"{NAMESPACES.path('', name)}{suffix}"
    probe.refuse(method, path, "tenant/cluster-scoped", body, headers={"Content-Type": MERGE})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", NAMESPACES.path()),
        ("GET", f"{NAMESPACES.path()}?watch=1"),
        ("GET", f"/api/v1/watch/namespaces/{THEIRS}"),
        ("GET", NAMESPACES.path("", THEIRS)),
        ("GET", f"{NAMESPACES.path()}/{THEIRS}/"),
        ("GET", f"{NAMESPACES.path()}?fieldSelector=metadata.name%3D{THEIRS}"),
        ("DELETE", NAMESPACES.path()),
    ],
)
def test_31_no_other_namespaces(probe: Probe, method: str, path: str) -> None:
    probe.refuse(method, path, "tenant/cluster-scoped")


@pytest.mark.parametrize("name", ["made", THEIRS, HERE, DEV])
def test_31_none_is_made(probe: Probe, name: str) -> None:
    body = {"metadata": {"name": name}}
    probe.refuse("POST", NAMESPACES.path(), "tenant/cluster-scoped", body)
    probe.refuse("PUT", NAMESPACES.path("", name), "tenant/cluster-scoped", body)


# 34, 35


@pytest.mark.parametrize("query", ["", "?labelSelector=app%3Dweb", "?dryRun=All"])
def test_34_a_nameless_delete_is_a_deletecollection(probe: Probe, query: str) -> None:
    """`sealed` denies it: among all there may be one that is denied by its name."""
    probe.refuse("DELETE", f"{CONFIGMAPS.path(HERE)}{query}", "permission/sealed")
    _, event = probe.forward("DELETE", f"{WIDGETS.path(HERE)}{query}")
    assert event["verb"] == "deletecollection"
    probe.scene.home.create(WIDGETS.path(HERE), object_of(WIDGETS, "web-0"))


@pytest.mark.parametrize("query", ["", "?dryRun=All"])
def test_35_a_dry_run_is_judged_alike(probe: Probe, reader: Probe, query: str) -> None:
    body = object_of(CONFIGMAPS, "made")
    probe.refuse("POST", f"{CONFIGMAPS.path(THEIRS)}{query}", "tenant/namespace", body)
    reader.refuse("POST", f"{CONFIGMAPS.path(HERE)}{query}", "default/deny", body)
    reader.refuse("DELETE", f"{CONFIGMAPS.path(HERE, 'web-0')}{query}", "default/deny")
    sealed = object_of(CONFIGMAPS, "sealed-1")
    probe.refuse("POST", f"{CONFIGMAPS.path(HERE)}{query}", "permission/sealed", sealed)


UPDATER = permission("update", verbs=["get", "list", "update", "patch"])


@pytest.fixture(scope="module")
def updater(scene: Scene) -> Iterator[Probe]:
    """A tenant that may change what there is, and make nothing."""
    with started(scene, permissions=[UPDATER]) as sidecar:
        yield Probe(scene, sidecar)


@pytest.mark.parametrize("dry_run", ["", "&dryRun=All"])
def test_35_what_may_only_be_changed_is_not_made(
    updater: Probe, probe: Probe, dry_run: str
) -> None:
    """A PUT makes a Lease, and an apply anything, where it is not there."""
    lease = object_of(LEASES, "upserted") | {"spec": {"holderIdentity": "a"}}
    applied = object_of(CONFIGMAPS, "upserted") | {"apiVersion": "v1", "kind": "ConfigMap"}
    put = "PUT", f"{LEASES.path(HERE, 'upserted')}?{dry_run}", lease
    apply = (
        "PATCH",
        f"{CONFIGMAPS.path(HERE, 'upserted')}?fieldManager=a{dry_run}",
        json.dumps(applied).encode(),
    )
    updater.refuse(put[0], put[1], "default/deny", put[2])
    updater.refuse(apply[0], apply[1], "default/deny", apply[2], headers={"Content-Type": APPLY})
    merge = json.dumps({"data": {"a": "b"}}).encode()
    there = CONFIGMAPS.path(HERE, "web-0")
    updater.forward("PATCH", f"{there}?{dry_run}", merge, headers={"Content-Type": MERGE})
    # Who may make things does.
    probe.forward(*put, status=201)
    probe.forward(*apply, status=201, headers={"Content-Type": APPLY})
    if not dry_run:
        for kind in (LEASES, CONFIGMAPS):
            probe.forward("DELETE", kind.path(HERE, "upserted"))


# 36, 37


PATCHES = [
    (MERGE, {"metadata": {"namespace": THEIRS}}),
    (STRATEGIC, {"metadata": {"namespace": THEIRS}}),
    (JSON_PATCH, [{"op": "replace", "path": "/metadata/namespace", "value": THEIRS}]),
    (
        APPLY,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "web-0", "namespace": THEIRS},
            "data": {"taken": "over"},
        },
    ),
]


@pytest.mark.parametrize("namespace", OURS)
@pytest.mark.parametrize(("media", "patch"), PATCHES, ids=[media for media, _ in PATCHES])
def test_36_no_patch_moves_an_object(
    probe: Probe, media: str, patch: object, namespace: str
) -> None:
    """The path decides, and the API server holds the body against it."""
    plane = probe.scene.home if namespace == HERE else probe.scene.west
    assert plane is not None
    plane.create(CONFIGMAPS.path(namespace), object_of(CONFIGMAPS, "web-0"))
    before = plane.request("GET", CONFIGMAPS.path(THEIRS, "web-0")).body
    path = f"{CONFIGMAPS.path(namespace, 'web-0')}?fieldManager=a&force=true"
    body = json.dumps(patch).encode()
    if media != APPLY:
        path = CONFIGMAPS.path(namespace, "web-0")
    _, event = probe.forward("PATCH", path, body, status=400, headers={"Content-Type": media})
    assert event["objectRef"]["namespace"] == namespace
    assert plane.request("GET", CONFIGMAPS.path(THEIRS, "web-0")).body == before
    assert plane.request("GET", CONFIGMAPS.path(namespace, "web-0")).status == 200


@pytest.mark.parametrize("kind", [PODS, CONFIGMAPS, WIDGETS], ids=lambda kind: kind.resource)
@pytest.mark.parametrize("named", [HERE, THEIRS])
def test_37_a_namespace_in_the_body_is_none(probe: Probe, kind: Kind, named: str) -> None:
    body = object_of(kind, "made")
    body["metadata"] = {**body["metadata"], "namespace": named}
    probe.refuse("POST", kind.path(), "tenant/namespace", body)
    if named == THEIRS:
        # Where the path names another than the body, the API server refuses both.
        probe.forward("POST", kind.path(HERE), body, status=400)


# 38


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (GADGETS.path(HERE, "shared-1"), "tenant/cluster-scoped"),
        (GADGETS.path(HERE), "tenant/cluster-scoped"),
        (NODES.path(HERE), "tenant/cluster-scoped"),
        (STORAGE_CLASSES.path(HERE, "fast"), "tenant/cluster-scoped"),
        (f"/api/v1/namespaces/{THEIRS}/namespaces/{HERE}", "tenant/namespace"),
        (f"/api/v1/namespaces/{HERE}/namespaces/{DEV}", "tenant/cluster-scoped"),
        (f"/api/v1/namespaces/{HERE}/namespaces/{HERE}/pods", "tenant/cluster-scoped"),
        (GADGETS.path("", "theirs"), "tenant/cluster-scoped"),
        (GADGETS.path(), "tenant/cluster-scoped"),
        (NODES.path("", "theirs"), "tenant/cluster-scoped"),
        (VOLUMES.path(), "tenant/cluster-scoped"),
        (f"/apis/nobody.example/v1/namespaces/{HERE}/pods", "tenant/unknown-kind"),
        (f"/apis/{GROUP}/v2/namespaces/{HERE}/widgets", "tenant/unknown-kind"),
        (f"/apis/{GROUP}/v1/namespaces/{HERE}/gizmos", "tenant/unknown-kind"),
        (f"/apis/{GROUP}/v1/gizmos", "tenant/unknown-kind"),
        (f"/api/v2/namespaces/{HERE}/pods", "tenant/unknown-kind"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_38_kinds_are_what_discovery_says(probe: Probe, method: str, path: str, rule: str) -> None:
    probe.refuse(method, path, rule)


# The sidecar asks a member for a kind by its group and version, with a credential of its own.
PLAIN_DISCOVERY = re.compile(r"/api/v1|/apis/[a-z0-9.]+(/v[a-z0-9]+)?")
NO_NAMES = [
    ("../api/v1/namespaces/team-b/secrets", "v1"),
    ("../api/v1/namespaces/team-b/secrets", ""),
    ("", "v1/namespaces/team-b/secrets"),
    ("", "v1/watch/pods"),
    ("apps", "v1/../../../api/v1/secrets"),
    ("apps", "v1?watch=1"),
    ("apps", "v1 HTTP/1.1"),
    ("apps?x=", "v1"),
    ("apps#", "v1"),
    ("apps/v1", ""),
    ("ü", "v1"),
    ("apps", "ü"),
    ("..", ".."),
]


@pytest.mark.parametrize(("group", "version"), NO_NAMES)
def test_38_a_kind_is_no_path(probe: Probe, group: str, version: str) -> None:
    """Neither in a review nor, as far as it can stand there, in a path."""
    attributes = {"group": group, "version": version, "resource": "pods", "verb": "get"}
    review = {"spec": {"resourceAttributes": attributes | {"namespace": HERE}}}
    marks = [(plane, plane.audit.mark()) for plane in probe.scene.planes]
    answer = probe.ask("POST", f"{AUTHORIZATION}/selfsubjectaccessreviews", review)
    assert (answer.status, answer.json()["status"]["allowed"]) == (201, False), answer.body
    if "/" not in group + version and ".." not in (group, version) and group and version:
        path = f"/apis/{quote(group)}/{quote(version)}/namespaces/{HERE}/pods"
        probe.refuse("GET", path, "tenant/unknown-kind")
    asked = {
        event["requestURI"]
        for plane, mark in marks
        for event in plane.audit.since(mark)
        if event["user"]["username"] == probe.scene.user and not is_canary(event)
    }
    # The sidecar may ask anew for kinds that it knows.
    assert {uri for uri in asked if PLAIN_DISCOVERY.fullmatch(uri) is None} == set()


def test_38_what_a_rule_names_is_reached(probe: Probe) -> None:
    probe.forward("GET", GADGETS.path("", "shared-1"))
    probe.forward("GET", STORAGE_CLASSES.path())
    probe.refuse("DELETE", STORAGE_CLASSES.path("", "fast"), "tenant/cluster-scoped")


@pytest.mark.parametrize("namespaced", [True, False])
def test_38_a_kind_that_comes_and_goes(probe: Probe, namespaced: bool) -> None:
    """It is believed as soon as discovery tells of it, and never before."""
    word = "Comet" if namespaced else "Planet"
    kind = Kind(f"/apis/{GROUP}/v1", f"{word.lower()}s", namespaced)
    path = kind.path(HERE if namespaced else "")
    probe.refuse("GET", path, "tenant/unknown-kind")
    plane = probe.scene.home
    plane.create(DEFINITIONS.path(), definition(word, namespaced=namespaced))
    deadline = time.monotonic() + 10
    rule = "tenant/unknown-kind"
    while rule == "tenant/unknown-kind" and time.monotonic() < deadline:
        answer = probe.ask("GET", path)
        rule = answer.headers.get("Mca-Decision", "")
        time.sleep(0.1)
    assert rule == ("" if namespaced else "tenant/cluster-scoped")
    assert plane.request("DELETE", DEFINITIONS.path("", f"{kind.resource}.{GROUP}")).status == 200


def test_38_a_kind_that_is_made_anew_with_namespaces(scene: Scene) -> None:
    """What a rule let tenant A list, when it had no namespaces, soon is a list over all of them."""
    moons = Kind(f"/apis/{GROUP}/v1", "moons", False)
    allowed = {"verbs": ["list"], "groups": [GROUP], "resources": ["moons"]}
    home = scene.home
    home.create(DEFINITIONS.path(), definition("Moon", namespaced=False))
    wait_until(lambda: home.request("GET", moons.path()).status == 200)
    with started(scene, clusterResources=[allowed]) as sidecar:
        probe = Probe(scene, sidecar)
        wait_until(lambda: probe.ask("GET", moons.path()).status == 200)
        definition_path = DEFINITIONS.path("", f"moons.{GROUP}")
        home.request("DELETE", definition_path)
        wait_until(lambda: home.request("GET", definition_path).status == 404)
        home.create(DEFINITIONS.path(), definition("Moon", namespaced=True))
        wait_until(
            lambda: (
                probe.ask("GET", moons.path()).headers.get("Mca-Decision")
                == "tenant/all-namespaces"
            )
        )
    home.request("DELETE", definition_path)


def wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)


# 39


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics/slis",
        "/logs/kube-apiserver.log",
        "/debug/pprof/profile",
        "/debug/api_priority_and_fairness/dump_requests",
        "/openid/v1/jwks",
        "/.well-known/openid-configuration",
        "/configz",
        "/livez/etcd",
        "/apiserver",
        "/open",
        "/versionx",
    ],
)
def test_39_other_paths_are_denied(probe: Probe, path: str) -> None:
    probe.refuse("GET", path, "default/deny")


@pytest.mark.parametrize(
    "path", ["/", "/api", "/apis/apps/v1", "/openapi/v3", "/version", "/healthz", "/livez"]
)
def test_39_discovery_and_health_are_open_for_reading(probe: Probe, path: str) -> None:
    assert probe.ask("GET", path).status == 200
    probe.refuse("POST", path, "default/deny", {})


def test_39_a_path_is_allowed_by_name(literal: Probe) -> None:
    answer, _ = literal.forward("GET", "/metrics")
    assert b"apiserver_request_total" in answer.body
    literal.forward("GET", "/openid/v1/jwks")
    literal.refuse("POST", "/metrics", "default/deny", {})
    literal.refuse("GET", "/metrics/slis", "default/deny")


# 40


@pytest.mark.parametrize("kind", [PODS, SECRETS, WIDGETS], ids=lambda kind: kind.resource)
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?watch=1",
        f"?fieldSelector=metadata.namespace%3D{HERE}",
        "?limit=1",
        f"?namespace={HERE}",
        "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
    ],
)
def test_40_no_list_over_all_namespaces(probe: Probe, kind: Kind, query: str) -> None:
    message = probe.refuse("GET", f"{kind.path()}{query}", "tenant/all-namespaces")
    assert f"-n {HERE}" in message
    probe.refuse("DELETE", f"{kind.path()}{query}", "tenant/all-namespaces")


def test_40_the_old_watch_paths_too(probe: Probe) -> None:
    probe.refuse("GET", "/api/v1/watch/pods", "tenant/all-namespaces")
    probe.refuse("GET", f"/api/v1/watch/namespaces/{THEIRS}/pods", "tenant/namespace")
    probe.refuse("GET", f"/api/v1/watch/namespaces/{THEIRS}/pods/theirs", "tenant/namespace")


# 41, 42


FORMATS = [
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    f"{PROTOBUF};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    PROTOBUF,
    f"{PROTOBUF},application/json",
    "application/json",
    "*/*",
]


@pytest.mark.parametrize("namespace", OURS)
@pytest.mark.parametrize("accept", FORMATS)
def test_41_every_format_of_a_list_is_held_to_its_namespace(
    probe: Probe, accept: str, namespace: str
) -> None:
    """At home it passes untouched; of another cluster each object is looked at."""
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    answer, event = probe.forward("GET", PODS.path(namespace), headers=headers)
    assert event["objectRef"]["namespace"] == namespace
    assert answer.headers["Content-Type"].partition(";")[0] in (PROTOBUF, "application/json")
    assert b"web-0" in answer.body
    assert MARKER.encode() not in answer.body


@pytest.mark.parametrize("accept", ["application/yaml", "application/cbor", "text/html"])
def test_42_what_cannot_be_looked_into_is_a_406(probe: Probe, accept: str) -> None:
    probe.refuse("GET", PODS.path(DEV), "route/accept", status=406, headers={"Accept": accept})


# 45


def test_45_an_owner_in_another_namespace_is_left_to_the_server(probe: Probe) -> None:
    """Garbage collection knows that no owner of a namespaced object lives elsewhere."""
    theirs = probe.scene.home.request("GET", PODS.path(THEIRS, "theirs")).json()["metadata"]
    body = object_of(CONFIGMAPS, "owned")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "theirs", "uid": theirs["uid"]}
    body["metadata"] = {**body["metadata"], "ownerReferences": [owner]}
    probe.forward("POST", CONFIGMAPS.path(HERE), body, status=201)
    _, event = probe.forward("DELETE", CONFIGMAPS.path(HERE, "owned"))
    assert event["objectRef"]["namespace"] == HERE
    after = probe.scene.home.request("GET", PODS.path(THEIRS, "theirs")).json()["metadata"]
    assert after == theirs


@pytest.mark.parametrize("kind", [ROLES, ROLE_BINDINGS], ids=lambda kind: kind.resource)
def test_45_rights_are_given_by_name_only(probe: Probe, literal: Probe, kind: Kind) -> None:
    body = object_of(kind, "given")
    path = kind.path(HERE)
    probe.refuse("POST", path, "default/deny", body)
    probe.refuse("PUT", f"{path}/web-0", "default/deny", body)
    probe.refuse("DELETE", f"{path}/web-0", "default/deny")
    probe.refuse("DELETE", path, "default/deny")
    probe.forward("GET", f"{path}/web-0")
    literal.refuse("POST", kind.path(THEIRS), "tenant/namespace", body)
    literal.forward("POST", path, body, status=201)
    literal.forward("DELETE", f"{path}/given")


@pytest.mark.parametrize(
    "path", [f"{POD}/binding", f"/api/v1/namespaces/{HERE}/bindings"], ids=["subresource", "kind"]
)
def test_45_a_pod_is_bound_by_name_only(probe: Probe, literal: Probe, path: str) -> None:
    body = {"metadata": {"name": "absent"}, "target": {"kind": "Node", "name": "theirs"}}
    probe.refuse("POST", path, "default/deny", body)
    literal.forward("POST", path.replace("web-0", "absent"), body, status=404)


def test_45_an_ephemeral_container_stays_out_of_ours(probe: Probe) -> None:
    def body(target: str) -> bytes:
        container = {"name": "look", "image": "a", "targetContainerName": target}
        return json.dumps({"spec": {"ephemeralContainers": [container]}}).encode()

    path, headers = f"{POD}/ephemeralcontainers", {"Content-Type": STRATEGIC}
    probe.refuse("PATCH", path, "guard/ephemeral-container", body("mca"), headers=headers)
    probe.forward("PATCH", path, body("app"), headers=headers)
    theirs = f"{PODS.path(THEIRS, 'web-0')}/ephemeralcontainers"
    probe.refuse("PATCH", theirs, "tenant/namespace", body("app"), headers=headers)
