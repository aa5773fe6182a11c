"""A sidecar that follows its ConfigMap on a real API server, by a real service account's token."""

import base64
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.controlplane import ControlPlane
from tests.multicluster.scene import Planes
from tests.sidecar.pinned_scene import (
    member,
    pin_of,
    pinned_env,
    revisions,
    snapshot,
    wait_for,
    write_member_token,
)
from tests.sidecar_process import Cluster, SidecarProcess

Make = Callable[..., SidecarProcess]
POLICY = "mca-policy"
DENY_ALL = {"name": "acme", "mode": "enforce", "namespaces": [], "permissions": []}


class Policy:
    """The ConfigMap of one namespace, and the right of its accounts to read that one object."""

    def __init__(self, plane: ControlPlane, namespace: str, *, bound: bool = True) -> None:
        self.plane = plane
        self.namespace = namespace
        self.path = f"/api/v1/namespaces/{namespace}/configmaps"
        role = "system:aggregate-to-view" if bound else None
        plane.create_service_account(namespace, "app", cluster_role=role)
        if bound:
            self.bind()

    def bind(self) -> None:
        group = "rbac.authorization.k8s.io"
        base = f"/apis/{group}/v1/namespaces/{self.namespace}"
        rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [POLICY],
                "verbs": ["get", "list", "watch"]}  # fmt: skip
        self.plane.create(f"{base}/roles", {"metadata": {"name": POLICY}, "rules": [rule]})
        accounts = f"system:serviceaccounts:{self.namespace}"
        self.plane.create(f"{base}/rolebindings", {
            "metadata": {"name": POLICY},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": POLICY},
            "subjects": [{"kind": "Group", "apiGroup": group, "name": accounts}],
        })  # fmt: skip

    def render(self, revision: str, **changes: Any) -> str:
        return json.dumps(snapshot(revision, namespace=self.namespace, **changes))

    def write(self, revision: str, **changes: Any) -> None:
        body = {"metadata": {"name": POLICY},
                "data": {"snapshot.v1.json": self.render(revision, **changes)}}  # fmt: skip
        answer = self.plane.request("PUT", f"{self.path}/{POLICY}", body)
        if answer.status == 404:
            self.plane.create(self.path, body)
        else:
            assert answer.status == 200, answer.body

    def start(
        self,
        make: Make,
        folder: Path,
        *,
        mounted: str = "",
        pins: Sequence[Mapping[str, str]] = (),
    ) -> SidecarProcess:
        token = self.plane.token(self.namespace, "app")
        home = Cluster(self.plane.url, self.plane.ca_pem, token=token)
        env = pinned_env(folder, home, pins, MCA_SNAPSHOT_WATCH=POLICY)
        if mounted:
            (folder / "policy.json").write_text(self.render(mounted))
        env["MCA_SNAPSHOT"] = str(folder / "policy.json")
        sidecar = make(namespace=self.namespace, env=env, spawn=True)
        sidecar.wait_ready()
        return sidecar


def test_an_edit_decides_calls_within_a_second(
    make_sidecar: Make, planes: Planes, tmp_path: Path
) -> None:
    policy = Policy(planes.home, "followed-a")
    policy.write("v1-first")
    sidecar = policy.start(make_sidecar, tmp_path)
    pods = "/api/v1/namespaces/followed-a/configmaps"
    taken = []
    for number in range(20):
        wanted = 403 if number % 2 == 0 else 200
        changes = {"tenant": DENY_ALL} if wanted == 403 else {}
        policy.write(f"v1-{number}", **changes)
        begun = time.monotonic()
        wait_for(lambda: sidecar.request("GET", pods).status == wanted)  # noqa: B023
        taken.append(time.monotonic() - begun)
    assert statistics.median(taken) < 1, taken
    if "MCA_TELL" in os.environ:
        print(f"median {statistics.median(taken):.3f} s, worst {max(taken):.3f} s")  # noqa: T201
    assert planes.home.request("DELETE", f"{policy.path}/{POLICY}").status == 200
    wait_for(lambda: sidecar.events("snapshot_deleted"))
    assert sidecar.request("GET", pods).status == 200, "the last good one is kept"
    policy.write("v1-again", tenant=DENY_ALL)
    wait_for(lambda: sidecar.request("GET", pods).status == 403)


def test_a_pod_that_is_before_its_policy_waits_for_it(
    make_sidecar: Make, planes: Planes, tmp_path: Path
) -> None:
    policy = Policy(planes.home, "followed-b", bound=False)
    sidecar = policy.start(make_sidecar, tmp_path, mounted="v1-mounted")
    wait_for(lambda: sidecar.events("snapshot_watch_lost"))
    assert "it answers 403: configmaps" in sidecar.events("snapshot_watch_lost")[0]["reason"]
    policy.bind()
    policy.write("v1-first")
    wait_for(lambda: revisions(sidecar) == ["v1-mounted", "v1-first"])


def test_an_api_server_that_is_restarted_is_followed_again(
    make_sidecar: Make, make_control_plane: Callable[..., ControlPlane], tmp_path: Path
) -> None:
    plane = make_control_plane()
    policy = Policy(plane, "followed-c")
    policy.write("v1-first")
    sidecar = policy.start(make_sidecar, tmp_path, mounted="v1-mounted")
    wait_for(lambda: revisions(sidecar)[-1] == "v1-first")
    plane.kill_api_server()
    wait_for(lambda: sidecar.events("snapshot_watch_lost"))
    # The mount lags: the kubelet brings now what was there before.
    (tmp_path / "draft").write_text(policy.render("v1-lagging"))
    (tmp_path / "draft").rename(tmp_path / "policy.json")
    time.sleep(1.2)
    assert sidecar.ask_admin("/readyz").status == 200
    plane.start_api_server()
    plane.compact_etcd()
    policy.write("v1-second", tenant=DENY_ALL)
    wait_for(lambda: revisions(sidecar) == ["v1-mounted", "v1-first", "v1-second"], 20)
    policy.write("v1-third")
    wait_for(lambda: revisions(sidecar)[-1] == "v1-third")


def test_a_snapshot_of_the_largest_size_comes_through(
    make_sidecar: Make, planes: Planes, tmp_path: Path
) -> None:
    policy = Policy(planes.home, "followed-d")
    bundle = base64.b64encode(
        b"-----BEGIN CERTIFICATE-----\n" + b"A" * 120_000 + b"\n-----END CERTIFICATE-----\n"
    ).decode()
    clusters = [
        {"name": f"c{number}", "server": f"https://c{number}", "caBundle": bundle,
         "credentials": {"tokenFile": f"/members/c{number}/token"}}
        for number in range(6)
    ]  # fmt: skip
    home = snapshot("x")["clusters"]
    policy.write("v1-large", clusters=[*home, *clusters])
    sidecar = policy.start(make_sidecar, tmp_path)
    assert revisions(sidecar) == ["v1-large"]


def test_a_members_token_goes_to_the_member_that_it_was_made_for(
    make_sidecar: Make, planes: Planes, tmp_path: Path
) -> None:
    space, home, west = "followed-e", planes.home, planes.west
    west.create_service_account(space, "app", cluster_role="system:aggregate-to-view")
    at_west = Cluster(west.url, west.ca_pem, token=west.token(space, "app"))
    write_member_token(tmp_path, "west", at_west.token or "")
    policy = Policy(home, space)
    route = {"name": "all", "priority": 1, "match": [{"groups": ["*"], "resources": ["*"]}],
             "to": {"members": [{"cluster": "west"}]}}  # fmt: skip
    true = member("west", at_west, tmp_path)
    policy.write("v1-0", clusters=[*snapshot("x")["clusters"], true], routes=[route])
    sidecar = policy.start(make_sidecar, tmp_path, pins=[pin_of("west", at_west)])
    path = f"/api/v1/namespaces/{space}/configmaps"
    answer = sidecar.request("GET", path)
    assert answer.status == 200
    assert planes.served_by(answer.headers["Audit-Id"]) == "west"
    mark = home.audit.mark()
    forgeries = [
        member("west", Cluster(home.url, home.ca_pem), tmp_path),
        true | {"server": home.url},
        true | {"caBundle": member("x", Cluster(home.url, home.ca_pem), tmp_path)["caBundle"]},
        true | {"tlsServerName": "home.example.com"},
        true | {"credentials": {"tokenFile": str(tmp_path / "account" / "token")}},
    ]
    for number, forged in enumerate(forgeries, 1):
        policy.write(f"v1-{number}", clusters=[*snapshot("x")["clusters"], forged], routes=[route])
        wait_for(lambda: revisions(sidecar)[-1] == f"v1-{number}")  # noqa: B023
        answer = sidecar.request("GET", path)
        assert answer.status == 503, answer.body
        assert b"mca upstream/credential: cluster west cannot be called: " in answer.body
    reached = [event for event in home.audit.since(mark) if event["requestURI"] == path]
    assert not [event for event in reached if event["verb"] == "list"]
    policy.write("v1-true", clusters=[*snapshot("x")["clusters"], true], routes=[route])
    wait_for(lambda: sidecar.request("GET", path).status == 200)
