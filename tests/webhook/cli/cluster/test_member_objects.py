"""What registering a cluster makes: rights by name, one Secret for one reader, nothing else."""

import base64
import json

import pytest

from webhook.cli.cluster.home_objects import (
    build_credential,
    build_registration,
    build_spec,
    render_kubeconfig,
)
from webhook.cli.cluster.identity import FORMS, Home, name_account, name_user
from webhook.cli.cluster.member_objects import (
    build_account,
    build_grant,
    build_labelled,
    build_looking,
    build_profiles,
    build_provisioning,
    build_tenant_account,
    build_token_secret,
    build_tokens,
)
from webhook.controller.access.cluster_secret import read_credentials
from webhook.controller.access.opening import Bearer
from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.meta import Meta

HOME = Home("0123abcd-4444-5555-6666-777788889999", "mca-system")
PEM = b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
CA = base64.b64encode(PEM).decode()
SUBJECT = {"kind": "ServiceAccount", "name": HOME.account, "namespace": "mca-access"}


def test_names() -> None:
    assert HOME.account == "mca-home-0123abcd"
    assert HOME.user == "system:serviceaccount:mca-access:mca-home-0123abcd"
    assert HOME.controller == "system:serviceaccount:mca-system:mca-controller"
    assert name_account(HOME, "acme") == "mca-home-0123abcd-acme"


def test_the_account_may_look_at_guards_and_nothing_else() -> None:
    namespace, account = build_account(HOME, HOME.account)
    assert account["automountServiceAccountToken"] is False
    assert namespace["metadata"]["labels"]["mca.io/home"] == HOME.uid
    role, binding = build_looking(HOME, SUBJECT)
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}
    assert {rule["apiGroups"][0] for rule in role["rules"]} == {"admissionregistration.k8s.io"}
    assert binding["subjects"] == [SUBJECT]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_tokens_are_of_named_accounts_in_one_namespace() -> None:
    role, binding = build_tokens(HOME, "team-a", ["app", "runner"])
    assert role["kind"] == "Role"
    assert all(rule["resourceNames"] == ["app", "runner"] for rule in role["rules"])
    assert not role["metadata"]["name"].startswith("mca-")
    assert binding["subjects"] == [SUBJECT]


def test_provisioning_grants_no_star_and_no_escalation() -> None:
    role, _ = build_provisioning(HOME, name_user("x"))
    told = json.dumps(role["rules"])
    assert "*" not in told
    assert "escalate" not in told
    assert "secrets" not in told
    bind = next(rule for rule in role["rules"] if rule["verbs"] == ["bind"])
    assert bind["resourceNames"] == ["mca-profile-standard", "mca-profile-elevated"]
    assert [each["metadata"]["name"] for each in build_profiles(HOME)] == bind["resourceNames"]


def test_what_is_kept_at_home_can_be_read_by_its_name_alone() -> None:
    kubeconfig = render_kubeconfig("https://eu-1.example.com", CA, "abc.def")
    secret, role, binding = build_credential(HOME, "eu-1", kubeconfig, "")
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "verbs": ["get"],
            "resourceNames": ["mca-cluster-eu-1"],
        }
    ]
    assert binding["subjects"][0]["name"] == "mca-controller"
    assert "annotations" not in secret["metadata"]
    found = read_credentials(secret, "https://eu-1.example.com")
    assert isinstance(found, Bearer)
    assert found.token.reveal() == b"abc.def"
    # Of no use for any other server.
    assert not isinstance(read_credentials(secret, "https://evil.example.com"), Bearer)


def test_a_tenants_credential_names_it() -> None:
    secret, *_ = build_credential(HOME, "lab", "{}", "acme")
    assert secret["metadata"]["annotations"] == {"mca.io/tenant": "acme"}


@pytest.mark.parametrize("form", FORMS)
def test_the_cluster_can_be_taken(form: str) -> None:
    spec = {"server": "https://eu-1.example.com", "caBundle": CA, **build_spec(form, "eu-1", "")}
    document = build_registration("eu-1", spec, "mca-0123abcd:")
    assert isinstance(parse_cluster(document), Cluster)
    assert document["metadata"]["annotations"] == {"mca.io/user-prefix": "mca-0123abcd:"}
    assert "annotations" not in build_registration("eu-1", spec, "")["metadata"]


def test_a_named_audience() -> None:
    assert build_spec("audience", "eu-1", "eu")["credentials"] == {"audience": {"name": "eu"}}


def test_what_stands_in_a_tenants_namespace_is_not_called_as_the_controllers() -> None:
    made = [
        build_labelled(HOME, "team-a", {"mca.io/boundary": "enforced"}),
        build_tenant_account(HOME, Meta("acme", uid="u1"), "team-a", "app"),
        build_grant(HOME, "team-a", "edit", [name_user("x")]),
        *build_tokens(HOME, "team-a", ["app"]),
    ]
    assert not [each for each in made if each["metadata"]["name"].startswith("mca-")]
    assert made[0]["metadata"]["labels"] == {"mca.io/boundary": "enforced"}
    assert made[1]["metadata"]["annotations"] == {
        "mca.io/home": HOME.uid,
        "mca.io/tenant": "acme",
        "mca.io/tenant-uid": "u1",
    }


def test_the_token_is_made_by_the_member() -> None:
    secret = build_token_secret(HOME, HOME.account)
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert "data" not in secret
