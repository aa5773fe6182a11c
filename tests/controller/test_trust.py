"""A member that trusts home's own tokens for one audience, with MCA's guards (attacks 71, 72).

Owns what `mca cluster add --credentials audience` and its images come to on a real API server.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.controller.desk import Desk
from tests.controller.scene import ControllerProcess, Home, namespace_of, tenant_of
from tests.controlplane import ControlPlane
from tests.controlplane.control_plane import ISSUER
from webhook.guards.reading import read_guard_settings

AUDIENCE = "https://listed.example.com"
NAME = "trusting"
# As `mca cluster add` tells it, for one namespace.
RULE = (
    '["mca-system", "trust-a"].exists(n, claims.sub.startsWith("system:serviceaccount:" + n + ":"))'
)
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
IMAGES = tuple(
    part
    for name in ("sidecar", "control")
    for part in (f"--{name}-image", f"registry.example.com/{name}@sha256:{'1' * 64}")
)


@pytest.fixture(scope="module")
def east(home: Home, tmp_path_factory: Any) -> Iterator[ControlPlane]:
    """Told to trust home as `mca cluster add` says, with home's own address and CA."""
    mark = Desk(home, tmp_path_factory.mktemp("mark")).uid()[:8]
    group = "rbac.authorization.k8s.io"
    home.plane.create(
        f"{RBAC}/clusterrolebindings",
        {
            "metadata": {"name": "discovery"},
            "roleRef": {
                "apiGroup": group, "kind": "ClusterRole",
                "name": "system:service-account-issuer-discovery",
            },
            "subjects": [{"apiGroup": group, "kind": "Group", "name": "system:unauthenticated"}],
        },
    )  # fmt: skip
    issuer = {
        "url": ISSUER,
        "discoveryURL": f"{home.plane.url}/.well-known/openid-configuration",
        "certificateAuthority": home.plane.ca_pem,
        "audiences": [AUDIENCE],
    }
    user = {"claim": "sub", "prefix": f"mca-{mark}:"}
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": issuer,
                "claimMappings": {"username": user},
                "claimValidationRules": [{"expression": RULE}],
            }
        ],
    }
    path = tmp_path_factory.mktemp("trust") / "authentication.yaml"
    path.write_text(yaml.safe_dump(document))
    flags = {
        "authentication-config": str(path),
        "service-account-issuer": "https://east.example.com",
    }
    with ControlPlane(flags=flags) as plane:
        yield plane


@pytest.fixture(scope="module")
def desk(
    home: Home, east: ControlPlane, controller: ControllerProcess, tmp_path_factory: Any
) -> Iterator[Desk]:
    assert controller.leads()
    desk = Desk(home, tmp_path_factory.mktemp("desk"), east=east)
    yield desk
    desk.do("cluster", "remove", NAME, "--context", "east", "--force")


def add(desk: Desk, *arguments: str) -> str:
    how = ("--credentials", "audience", "--audience", AUDIENCE, *arguments)
    return desk.do("cluster", "add", NAME, "--context", "east", *how)


def test_nothing_is_kept_and_it_is_told_what_to_configure(desk: Desk, east: ControlPlane) -> None:
    told = add(desk)
    assert "usable: yes; answers: yes; guarded: no (GuardsMissing)" in told
    shown = told[told.index("  apiVersion: ") : told.index("It fetches keys")]
    config = yaml.safe_load("\n".join(line[2:] for line in shown.splitlines()))
    assert config["apiVersion"] == "apiserver.config.k8s.io/v1"
    assert config["jwt"][0]["issuer"] == {"url": ISSUER, "audiences": [AUDIENCE]}
    assert f"- expression: '{RULE.replace('trust-a', 'NAMESPACE')}'" in told
    prefix = f"mca-{desk.uid()[:8]}:"
    assert config["jwt"][0]["claimMappings"]["username"] == {"claim": "sub", "prefix": prefix}
    secrets = "/api/v1/namespaces/mca-system/secrets/mca-cluster-trusting"
    assert desk.home.plane.request("GET", secrets).status == 404
    assert east.request("GET", "/api/v1/namespaces/mca-access").status == 404


def test_a_pods_token_opens_this_member_there_and_nothing_else(
    desk: Desk, east: ControlPlane, west: ControlPlane
) -> None:
    home = desk.home
    home.apply(namespace_of("trust-a", "trust"), tenant_of("trust", "trust-a", clusters=[NAME]))
    home.plane.create_service_account("trust-a", "app")
    allow = ("cluster", "allow", NAME, "--context", "east", "--tenant", "trust", "-n", "trust-a")
    desk.do(*allow, "--service-account", "app", "--role", "system:aggregate-to-view")
    token = home.plane.token("trust-a", "app", audiences=[AUDIENCE])
    maps = "/api/v1/namespaces/{}/configmaps"
    assert east.request("GET", maps.format("trust-a"), token=token).status == 200
    assert east.request("GET", maps.format("kube-system"), token=token).status == 403
    # Anybody who runs pods at home can have a token for this audience; the rule lets in nobody.
    home.plane.create_service_account("default", "anybody")
    elsewhere = home.plane.token("default", "anybody", audiences=[AUDIENCE])
    assert east.request("GET", "/version", token=elsewhere).status == 401
    # Replayed: at home, at another member; and a token for another member here.
    assert home.plane.request("GET", "/version", token=token).status == 401
    assert west.request("GET", "/version", token=token).status == 401
    for audience in ("mca.io/cluster/0000", "mca.io/broker", ISSUER):
        other = home.plane.token("trust-a", "app", audiences=[audience])
        assert east.request("GET", "/version", token=other).status == 401


def test_with_images_the_member_is_guarded_once_its_webhook_serves(
    desk: Desk, east: ControlPlane
) -> None:
    told = add(desk, *IMAGES, "--wait", "0")
    # What was allowed before there were guards is told, until it is labelled.
    assert "in trust-a the guards do not hold" in told
    assert "trusting: clusterrole.rbac.authorization.k8s.io/mca-home-" in told
    assert "mutatingwebhookconfiguration.admissionregistration.k8s.io/mca created" in told
    desk.wait(NAME, "Enforced", "False", "WebhookUntrusted")
    bundle = base64.b64encode(east.ca_pem.encode()).decode()
    change = [
        {"op": "add", "path": f"/webhooks/{place}/clientConfig/caBundle", "value": bundle}
        for place in range(3)
    ]
    answer = east.request(
        "PATCH",
        f"{ADMISSION}/mutatingwebhookconfigurations/mca",
        json.dumps(change).encode(),
        headers={"Content-Type": "application/json-patch+json"},
    )
    assert answer.status == 200
    desk.wait(NAME, "Enforced", "True", "Guarded")
    policies = east.request("GET", f"{ADMISSION}/validatingadmissionpolicies").json()["items"]
    found = read_guard_settings({item["metadata"]["name"]: item for item in policies})
    user = f"mca-{desk.uid()[:8]}:system:serviceaccount:mca-system:mca-controller"
    assert user in found.controllers
    # Again without images: nothing is said to lack, and what is there stays.
    again = add(desk, "--wait", "5")
    assert "no guards" not in again
    assert "do not know" not in again
    assert "guarded: yes" in again


def test_an_enforced_tenants_namespace_gets_its_boundary_there(
    desk: Desk, east: ControlPlane
) -> None:
    home = desk.home
    home.apply(
        namespace_of("trust-b", "bound"),
        tenant_of("bound", "trust-b", clusters=[NAME], boundary="enforced"),
    )
    desk.do("cluster", "allow", NAME, "--context", "east", "--tenant", "bound", "-n", "trust-b")
    labels = east.request("GET", "/api/v1/namespaces/trust-b").json()["metadata"]["labels"]
    assert labels["mca.io/boundary"] == "enforced"
    assert labels["mca.io/injection"] == "enabled"
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
