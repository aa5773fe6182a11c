"""Members are registered, looked at and taken away again: real clusters, the real commands.

Owns what `mca cluster`, `mca tenant`, `mca route` and `mca status` do together with a controller.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.controller.broker_scene import BrokerScene
from tests.controller.desk import CLUSTERS, Desk
from tests.controller.scene import (
    ControllerProcess,
    Home,
    cluster_of,
    namespace_of,
    poll,
    route_of,
    tenant_of,
)
from tests.controlplane import ControlPlane
from webhook.admission.registration import build_registration
from webhook.guards.rendering import render_manifests
from webhook.guards.settings import GuardSettings
from webhook.kube import KubeError, open_server
from webhook.resources.conditions import Condition, apply_status
from webhook.resources.meta import read_meta

RBAC = "/apis/rbac.authorization.k8s.io/v1"
NAME = "west-1"


class Registered(NamedTuple):
    """A desk from which `west-1` is registered, and what was told of that."""

    desk: Desk
    west: ControlPlane
    told: str


@pytest.fixture(scope="module")
def registered(
    home: Home, west: ControlPlane, controller: ControllerProcess, tmp_path_factory: Any
) -> Iterator[Registered]:
    assert controller.leads()
    # Others of the same server would keep what is made there when this one is removed.
    for name in list_clusters(home):
        home.plane.request("DELETE", f"{CLUSTERS}/{name}")
    desk = Desk(home, tmp_path_factory.mktemp("desk"), west=west)
    yield Registered(desk, west, desk.do("cluster", "add", NAME, "--context", "west"))
    desk.do("cluster", "remove", NAME, "--context", "west", "--force")


@pytest.fixture(scope="module")
def desk(registered: Registered) -> Desk:
    return registered.desk


@pytest.fixture
def spare(desk: Desk) -> Iterator[Desk]:
    """Whatever Clusters a test makes are gone after it."""
    before = set(list_clusters(desk.home))
    yield desk
    for name in set(list_clusters(desk.home)) - before:
        desk.home.plane.request("DELETE", f"{CLUSTERS}/{name}")


def list_clusters(home: Home) -> list[str]:
    items = home.plane.request("GET", CLUSTERS).json()["items"]
    return [str(item["metadata"]["name"]) for item in items]


def test_what_is_registered_is_usable_and_answers(registered: Registered) -> None:
    desk, _, told = registered
    assert "west-1: clusterrole.rbac.authorization.k8s.io/mca-home-" in told
    assert "home: cluster.mca.io/west-1 created" in told
    assert "registered. usable: yes; answers: yes; guarded: no (GuardsMissing)" in told
    assert "it is not enforced" in told
    status = desk.cluster(NAME)["status"]
    assert status["version"].startswith("v1.36")
    assert status["latencyMilliseconds"] >= 0
    assert desk.reason(NAME, "Accepted") == ("True", "SecretUsable")


def test_its_credential_can_look_at_guards_and_do_nothing_else(registered: Registered) -> None:
    desk, west, told = registered
    path = "/api/v1/namespaces/mca-system/secrets/mca-cluster-west-1"
    secret = desk.home.plane.request("GET", path).json()
    kubeconfig = json.loads(base64.b64decode(secret["data"]["kubeconfig"]))
    token = kubeconfig["users"][0]["user"]["token"]
    assert token not in told
    policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    assert west.request("GET", policies, token=token).status == 200
    for closed in ("/api/v1/secrets", "/api/v1/namespaces", f"{RBAC}/roles", "/api/v1/pods"):
        assert west.request("GET", closed, token=token).status == 403
    tokens = "/api/v1/namespaces/mca-access/serviceaccounts/default/token"
    assert west.request("POST", tokens, {"spec": {}}, token=token).status == 403
    # At home nobody but the controller reads it, and the controller reads no other.
    reader = desk.home.token
    assert desk.home.plane.request("GET", path, token=reader).status == 200
    other = "/api/v1/namespaces/mca-system/secrets"
    assert desk.home.plane.request("GET", other, token=reader).status == 403
    assert desk.home.plane.request("GET", path, token=token).status == 401


def test_again_it_changes_nothing_but_the_token(desk: Desk) -> None:
    lines = desk.do("cluster", "add", NAME, "--context", "west").splitlines()
    changed = {line.split()[-2] for line in lines if line.endswith((" created", " configured"))}
    # This control plane fills no Secrets, so each time there is a token with an end.
    assert {name.rpartition("/")[2] for name in changed} == {
        f"home-{desk.uid()[:8]}-token", "mca-cluster-west-1",
    }  # fmt: skip
    assert "unchanged" in "".join(lines)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("west-2", "--context", "home"), "is home itself"),
        ((NAME, "--context", "west", "--server", "https://elsewhere:6443"), "is registered at"),
        (("west-2", "--context", "west", "--server", "http://elsewhere"), "spec.server"),
        ((NAME, "--context", "west", "--credentials", "audience"), "other --credentials"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_changed(
    desk: Desk, arguments: tuple[str, ...], told: str
) -> None:
    done = desk.run("cluster", "add", *arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert "nothing was changed" in done.stderr


def test_where_it_stops_it_says_so_and_goes_on(desk: Desk) -> None:
    """At home stands a Secret of another type: the member has its account already."""
    plane = desk.home.plane
    secrets = "/api/v1/namespaces/mca-system/secrets"
    plane.create(secrets, {"metadata": {"name": "mca-cluster-west-3"}, "type": "Opaque"})
    arguments = ("cluster", "add", "west-3", "--context", "west", "--wait", "0")
    done = desk.run(*arguments)
    assert done.returncode == 1
    assert "home: mca-system: secret/mca-cluster-west-3" in done.stderr
    assert "the registration is not complete" in done.stderr
    assert "mca cluster remove west-3 --context west" in done.stderr
    assert plane.request("GET", f"{CLUSTERS}/west-3").status == 404
    plane.request("DELETE", f"{secrets}/mca-cluster-west-3")
    assert "home: cluster.mca.io/west-3 created" in desk.do(*arguments)
    plane.kubectl("label", "-n", "mca-system", "role/mca-cluster-west-3", "mca.io/cluster-")
    told = desk.do("cluster", "remove", "west-3", "--context", "west")
    assert "role.rbac.authorization.k8s.io/mca-cluster-west-3 stays" in told
    assert "secret/mca-cluster-west-3 deleted" in told
    assert "on the member all stays: it is registered as west-1, too" in told


def test_guards_make_a_member_guarded_and_a_change_ends_that(
    desk: Desk, west: ControlPlane
) -> None:
    settings = GuardSettings(image=f"mca@sha256:{'0' * 64}")
    address = {"url": "https://127.0.0.1:1"}
    registration = build_registration(
        address, base64.b64encode(west.ca_pem.encode()).decode(), ("mca-system",)
    )
    everything = [*render_manifests(settings), registration]
    listed = {"apiVersion": "v1", "kind": "List", "items": everything}
    west.kubectl("apply", "-f", "-", input=json.dumps(listed))
    try:
        desk.wait(NAME, "Enforced", "True", "Guarded")
        # They keep the names mca-…; a token is made anew all the same.
        again = ("cluster", "add", NAME, "--context", "west", "--wait", "0")
        assert f"secret/home-{desk.uid()[:8]}-token created" in desk.do(*again)
        binding = "validatingadmissionpolicybinding/mca-exec"
        audit = json.dumps({"spec": {"validationActions": ["Audit"]}})
        west.kubectl("patch", binding, "--type=merge", "-p", audit)
        desk.wait(NAME, "Enforced", "False", "GuardsDiffer")
        message = desk.home.condition(f"{CLUSTERS}/{NAME}", "Enforced")["message"]
        assert "mca-exec: validationActions" in message
    finally:
        west.kubectl("delete", "-f", "-", input=json.dumps(listed))
    desk.wait(NAME, "Enforced", "False", "GuardsMissing")


def test_an_audience_that_opens_home_is_refused_and_nothing_is_shown_to_the_member(
    spare: Desk, west: ControlPlane
) -> None:
    issuer = "https://kubernetes.default.svc.cluster.local"
    desk = spare
    listed = cluster_of("listed", west, audience={"name": "https://listed.example.com"})
    desk.home.apply(
        cluster_of("own", west),
        cluster_of("homes", west, audience={"name": issuer}),
        cluster_of("not-listed", west, audience={"name": "https://other.example.com"}),
        listed,
    )
    desk.wait("own", "Accepted", "True", "AudienceProven")
    uid = desk.cluster("own")["metadata"]["uid"]
    assert desk.cluster("own")["status"]["audience"] == f"mca.io/cluster/{uid}"
    # Even where an admin has listed it.
    desk.wait("homes", "Accepted", "False", "AudienceOpensHome")
    desk.wait("not-listed", "Accepted", "False", "AudienceNotListed")
    desk.wait("listed", "Accepted", "True", "AudienceProven")
    taken = cluster_of("taken", west, audience={"name": "https://listed.example.com"})
    desk.home.apply(taken)
    desk.wait("taken", "Accepted", "False", "AudienceTaken")
    # The member was not told to trust home, so it takes no token of it.
    desk.wait("own", "Ready", "False", "Unauthorized")
    for name in ("homes", "not-listed", "taken"):
        desk.wait(name, "Ready", "Unknown", "NotProbed")


def test_what_was_found_of_a_cluster_is_not_said_of_its_successor(
    spare: Desk, west: ControlPlane
) -> None:
    """The status is for the version that was looked at: made anew, it is nobody's yet."""
    home = spare.home
    home.apply(cluster_of("anew", west))
    spare.wait("anew", "Accepted", "True", "AudienceProven")
    old = spare.cluster("anew")
    home.plane.request("DELETE", f"{CLUSTERS}/anew")
    home.apply(cluster_of("anew", west))
    verdict = Condition("Accepted", True, "Stale", "", old["metadata"]["generation"])
    body = apply_status("Cluster", read_meta(old), [verdict], old, "2026-01-01T00:00:00Z")
    kube = open_server(home.plane.url, home.plane.ca_pem, token=home.plane.tokens["admin"])
    with pytest.raises(KubeError) as caught:
        kube.apply(f"{CLUSTERS}/anew/status", body, "mca-controller-clusters")
    assert caught.value.status == 409
    kube.close()


def test_secrets(spare: Desk, west: ControlPlane) -> None:
    desk, plane = spare, spare.home.plane
    desk.home.apply(
        cluster_of("missing", west, tokenRequest={"secretRef": {"name": "mca-cluster-none"}}),
        cluster_of("shared", west, tokenRequest={"secretRef": {"name": "mca-cluster-west-1"}}),
        cluster_of("nobodys", west, secretRef={"name": "mca-cluster-nobodys"}),
    )
    desk.wait("shared", "Accepted", "False", "SecretShared")
    desk.wait("missing", "Accepted", "False", "SecretForbidden")
    document: dict[str, Any] = {
        "metadata": {"name": "mca-cluster-nobodys"},
        "type": "mca.io/cluster-credentials",
        "data": {"token": base64.b64encode(b"not-a-token").decode()},
    }
    rule = {
        "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"],
        "resourceNames": ["mca-cluster-nobodys"],
    }  # fmt: skip
    subject = {"kind": "ServiceAccount", "name": "mca-controller", "namespace": "mca-system"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "nobodys"}
    roles = f"{RBAC}/namespaces/mca-system"
    plane.create(f"{roles}/roles", {"metadata": {"name": "nobodys"}, "rules": [rule]})
    plane.create(
        f"{roles}/rolebindings",
        {"metadata": {"name": "nobodys"}, "roleRef": reference, "subjects": [subject]},
    )
    desk.wait("nobodys", "Accepted", "False", "SecretMissing")
    plane.create("/api/v1/namespaces/mca-system/secrets", document)
    desk.wait("nobodys", "Accepted", "False", "SecretOfNobody")
    plane.kubectl(
        "annotate", "secret", "-n", "mca-system", "mca-cluster-nobodys", "mca.io/tenant=acme"
    )
    desk.wait("nobodys", "Accepted", "True", "SecretUsable")
    desk.wait("nobodys", "Ready", "False", "Unauthorized")
    assert "not-a-token" not in json.dumps(desk.cluster("nobodys"))


def test_a_member_that_is_gone_is_not_ready_and_stays_usable(
    spare: Desk, west: ControlPlane
) -> None:
    document = cluster_of("gone", west)
    document["spec"]["server"] = "https://127.0.0.1:1"
    spare.home.apply(document)
    spare.wait("gone", "Ready", "False", "Unreachable")
    spare.wait("gone", "Accepted", "True", "AudienceProven")
    listed = spare.do("cluster", "list")
    assert [line for line in listed.splitlines() if line.startswith("gone ")]
    assert "no (Unreachable)" in listed
    assert json.loads(spare.do("cluster", "list", "-o", "json"))["items"]


def test_a_profile_becomes_a_cluster_and_never_brings_credentials(
    spare: Desk, west: ControlPlane
) -> None:
    desk, plane = spare, spare.home.plane
    plane.create_namespace("fleet")
    plane.create_namespace("team-x")
    path = "/apis/multicluster.x-k8s.io/v1alpha1/namespaces/{}/clusterprofiles"

    def write(namespace: str, name: str, server: str) -> None:
        spec = {"clusterManager": {"name": "fleet"}, "displayName": name}
        plane.create(path.format(namespace), {
            "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ClusterProfile",
            "metadata": {"name": name}, "spec": spec,
        })  # fmt: skip
        ca = base64.b64encode(west.ca_pem.encode()).decode()
        place = {"server": server, "certificate-authority-data": ca}
        extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "home"}}
        provider = {"name": "p", "cluster": {**place, "extensions": [extension]}}
        plane.request(
            "PATCH",
            f"{path.format(namespace)}/{name}/status",
            json.dumps({"status": {"accessProviders": [provider]}}).encode(),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    write("fleet", "west-p", west.url)
    write("fleet", NAME, "https://elsewhere.example.com")
    write("team-x", "mine", "https://evil.example.com")
    desk.wait("west-p", "Accepted", "True", "AudienceProven")
    made = desk.cluster("west-p")
    assert made["spec"]["credentials"] == {"audience": {}}
    assert made["metadata"]["annotations"] == {"mca.io/cluster-profile": "fleet/west-p"}
    # An admin's Cluster is not taken over, and nobody else's profile counts.
    assert desk.cluster(NAME)["spec"]["server"] == west.url
    assert plane.request("GET", f"{CLUSTERS}/mine").status == 404
    write("fleet", "west-p", "https://moved.example.com")
    poll(lambda: desk.cluster("west-p")["spec"]["server"] == "https://moved.example.com")
    assert desk.cluster("west-p")["metadata"]["uid"] == made["metadata"]["uid"]
    for name in ("west-p", NAME):
        plane.request("DELETE", f"{path.format('fleet')}/{name}")
    desk.wait("west-p", "Accepted", "False", "ProfileGone")


def test_which_accounts_are_a_tenants(desk: Desk, west: ControlPlane) -> None:
    home = desk.home
    home.apply(
        namespace_of("reg-a", "reg-acme"), tenant_of("reg-acme", "reg-a", clusters=[NAME]),
        tenant_of("reg-other", "reg-b"),
    )  # fmt: skip
    allow = ("cluster", "allow", NAME, "--context", "west", "--tenant")
    told = desk.do(*allow, "reg-acme", "-n", "reg-a", "--service-account", "app", "--role", "view")
    assert "pods of reg-a as app act on west-1 with the rights of view there" in told
    desk.do(*allow, "reg-acme", "-n", "reg-a", "--service-account", "runner")
    account = west.request("GET", "/api/v1/namespaces/reg-a/serviceaccounts/app").json()
    uid = desk.uid()
    tenant = home.plane.request("GET", "/apis/mca.io/v1alpha1/tenants/reg-acme").json()["metadata"]
    assert account["metadata"]["annotations"] == {
        "mca.io/home": uid,
        "mca.io/tenant": "reg-acme",
        "mca.io/tenant-uid": tenant["uid"],
    }
    role = west.request("GET", f"{RBAC}/namespaces/reg-a/roles/home-{uid[:8]}-tokens").json()
    assert {tuple(rule["resourceNames"]) for rule in role["rules"]} == {("app", "runner")}
    # What others have made there is theirs until somebody says otherwise.
    west.create_service_account("reg-a", "flux")
    for arguments, refused in (
        (("reg-acme", "-n", "reg-a", "--service-account", "flux"), "nobody's yet"),
        (("reg-other", "-n", "reg-a", "--service-account", "app"), "tenant reg-acme's"),
        (("reg-acme", "-n", "kube-system"), "the cluster's own"),
        (("nobody", "-n", "reg-a"), "Tenant nobody is not there"),
        (("reg-acme", "-n", "reg-a", "--role", "nonesuch"), "no ClusterRole of that name"),
        (("reg-acme", "-n", "reg-a", "--context", "home"), "is home itself"),
    ):
        done = desk.run(*allow, *arguments)
        assert done.returncode == 1
        assert refused in done.stderr
        assert "nothing was changed" in done.stderr
    told = desk.do(*allow, "reg-acme", "-n", "reg-a", "--service-account", "flux", "--adopt")
    assert "note" not in told.replace("note: the member has no guards", "")
    told = desk.do(*allow, "reg-acme", "-n", "reg-ahead")
    assert "namespace reg-ahead is not the Tenant reg-acme's yet" in told
    mark = ("annotate", "--overwrite", "mcl", NAME)
    home.plane.kubectl(*mark, "mca.io/member-uid=another")
    for command in ((*allow, "reg-acme", "-n", "reg-a"), ("cluster", "remove", *allow[2:5])):
        done = desk.run(*command)
        assert (done.returncode, "another cluster than west-1" in done.stderr) == (1, True)
    home.plane.kubectl(
        "annotate", "--overwrite", "mcl", NAME, f"mca.io/member-uid={west_uid(west)}"
    )


def west_uid(west: ControlPlane) -> str:
    found = west.request("GET", "/api/v1/namespaces/kube-system").json()
    return str(found["metadata"]["uid"])


def test_what_is_not_registered_is_not_removed_by_a_slip(desk: Desk) -> None:
    done = desk.run("cluster", "remove", "west-8", "--context", "west")
    assert done.returncode == 1
    assert "Cluster west-8 is not registered: mca cluster list" in done.stderr
    assert "nothing was changed" in done.stderr


def test_pods_get_tokens_of_what_was_allowed_and_of_nothing_else(
    registered: Registered, controller: ControllerProcess
) -> None:
    """From `mca cluster add` and `allow` to a call of the member (attack 73)."""
    desk, west, _ = registered
    scene = BrokerScene(desk.home, west, controller)
    scene.add_tenant("reg-mint", NAME, namespace="reg-m")
    west.create_service_account("reg-m", "flux", cluster_role="system:aggregate-to-view")
    allow = ("cluster", "allow", NAME, "--context", "west", "--tenant", "reg-mint", "-n", "reg-m")
    desk.do(*allow, "--service-account", "app", "--role", "system:aggregate-to-view")
    code, found = scene.ask(scene.pod_token("reg-m", "one"), NAME)
    assert code == 200, found
    maps = "/api/v1/namespaces/{}/configmaps"
    assert west.request("GET", maps.format("reg-m"), token=found["token"]).status == 200
    assert west.request("GET", maps.format("kube-system"), token=found["token"]).status == 403
    # The same namespace and name, but somebody else's there.
    code, found = scene.ask(scene.pod_token("reg-m", "two", "flux"), NAME)
    assert (code, "token" in found) == (403, False)


def test_route_test_tells_where_a_call_goes(desk: Desk, tmp_path: Path, west: ControlPlane) -> None:
    home = desk.home
    home.apply(
        namespace_of("reg-r", "reg-route"), tenant_of("reg-route", "reg-r", clusters=["own-r"]),
        cluster_of("own-r", west),
    )  # fmt: skip
    desk.wait("own-r", "Accepted", "True", "AudienceProven")
    poll(lambda: ((home.policy("reg-r") or {}).get("tenant") or {}).get("namespaces"))
    test = ("route", "test", "-n", "reg-r")
    assert desk.do(*test, "list", "configmaps").startswith("served by home: no route takes it")
    file = tmp_path / "route.yaml"
    file.write_text(json.dumps(route_of("reg-r", "maps", "own-r")))
    told = desk.do(*test, "-f", str(file), "list", "configmaps")
    assert told.startswith("served by own-r: route maps")
    assert f"own-r: {west.url}; usable: yes" in told
    assert (
        home.plane.request("GET", "/apis/mca.io/v1alpha1/namespaces/reg-r/routes").json()["items"]
        == []
    )
    file.write_text(json.dumps(route_of("reg-r", "maps", NAME)))
    refused = desk.run(*test, "-f", str(file), "list", "configmaps")
    assert refused.returncode == 1
    assert "route maps does not count, ClusterNotAllowed" in refused.stdout
    file.write_text(json.dumps({"apiVersion": "mca.io/v1alpha1", "kind": "Route"}))
    nameless = desk.run(*test, "-f", str(file), "list", "configmaps")
    assert nameless.returncode == 2
    assert "without metadata.name" in nameless.stderr
    file.write_text(json.dumps(cluster_of("own-r", west)))
    assert "judged before this change" in desk.do(*test, "-f", str(file), "list", "pods")
    asked = json.loads(desk.do(*test, "-o", "json", "list", "configmaps"))
    assert (asked["verdict"], asked["cluster"]) == ("served", "home")
    denied = desk.run(*test, "list", "pods", "--in", "elsewhere")
    assert (denied.returncode, denied.stdout.split(":")[0]) == (1, "refused")
    home.plane.request("DELETE", f"{CLUSTERS}/own-r")


def test_tenants_and_the_whole_at_a_glance(desk: Desk) -> None:
    home = desk.home
    home.apply(namespace_of("reg-s", "reg-show"), tenant_of("reg-show", "reg-s", clusters=[NAME]))
    home.apply(route_of("reg-s", "lost", "nowhere"))
    path = "/apis/mca.io/v1alpha1/namespaces/reg-s/routes/lost"
    # Seen before its Tenant it is nobody's for a moment.
    poll(lambda: home.condition(path, "Accepted").get("reason", "").startswith("Cluster"))
    listed = desk.do("tenant", "list").splitlines()
    assert [line.split()[1:3] for line in listed if line.startswith("reg-show ")] == [
        ["enforce", "none"]
    ]
    poll(lambda: "lost" in desk.do("tenant", "show", "reg-show"))
    shown = desk.do("tenant", "show", "reg-show")
    assert "clusters: west-1" in shown
    assert "no (ClusterUnknown)" in shown or "no (ClusterNotAllowed)" in shown
    assert json.loads(desk.do("tenant", "show", "reg-show", "-o", "json"))["routes"]
    assert desk.run("tenant", "show", "nobody").returncode == 1
    status = desk.run("status")
    assert status.returncode == 1
    assert "reg-s/lost: Accepted Cluster" in status.stdout
    assert " leads, renewed " in status.stdout
    parts = json.loads(desk.run("status", "-o", "json").stdout)["parts"]
    assert [part["name"] for part in parts] == [
        "controller", "clusters", "tenants", "routes", "sidecars"
    ]  # fmt: skip


def test_remove_asks_closes_first_and_takes_away_what_add_made(
    desk: Desk, west: ControlPlane
) -> None:
    home = desk.home
    home.apply(namespace_of("reg-z", "reg-end"), tenant_of("reg-end", "reg-z", clusters=["west-9"]))
    before = set(list_made(west))
    # Of a server that is registered once more, the member keeps what both need.
    told = desk.do(
        "cluster", "add", "west-9", "--context", "west", "--credentials", "secret",
        "--tenant", "reg-end", "--provision", "--wait", "30",
    )  # fmt: skip
    assert "usable: yes; answers: yes" in told
    assert "kubectl create rolebinding reg-end --context west" in told
    allow = ("cluster", "allow", "west-9", "--context", "west", "--tenant", "reg-end")
    assert "the account of its Secret there" in desk.run(*allow, "-n", "reg-z").stderr
    asked = desk.run("cluster", "remove", "west-9", "--context", "west")
    assert asked.returncode == 1
    assert "Tenants name west-9: reg-end" in asked.stderr
    assert home.plane.request("GET", f"{CLUSTERS}/west-9").status == 200
    done = desk.do("cluster", "remove", "west-9", "--context", "west", "--force")
    assert "on the member all stays: it is registered as west-1" in done
    assert home.plane.request("GET", f"{CLUSTERS}/west-9").status == 404
    secrets = "/api/v1/namespaces/mca-system/secrets/mca-cluster-west-9"
    assert home.plane.request("GET", secrets).status == 404
    told = desk.do("cluster", "remove", NAME, "--context", "west", "--force")
    assert "mca uninstall --context west takes them away" in told
    assert list_made(west) == []
    assert before
    assert west.request("GET", "/api/v1/namespaces/reg-a").status in (200, 404)
    account = west.request("GET", "/api/v1/namespaces/reg-a/serviceaccounts/app")
    if account.status == 200:
        assert "annotations" not in account.json()["metadata"]


def list_made(west: ControlPlane) -> list[str]:
    """What carries the mark of a home, on the member."""
    paths = (
        f"{RBAC}/clusterroles", f"{RBAC}/clusterrolebindings", f"{RBAC}/roles",
        f"{RBAC}/rolebindings", "/api/v1/secrets", "/api/v1/serviceaccounts",
    )  # fmt: skip
    return [
        f"{path}/{item['metadata']['name']}"
        for path in paths
        for item in west.request("GET", f"{path}?labelSelector=mca.io/home").json()["items"]
    ]
