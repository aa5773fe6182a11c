"""What is taken of a ClusterProfile: one place with its CA, and never a credential."""

import base64
from typing import Any

import pytest

from webhook.controller.members.profiles import (
    Profile,
    build_cluster,
    build_place,
    find_path,
    parse_profile,
)
from webhook.resources.meta import Invalid

PEM = b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
CA = base64.b64encode(PEM).decode()
OTHER = base64.b64encode(PEM * 2).decode()
PLACE: dict[str, Any] = {"server": "https://eu-1.example.com/", "certificate-authority-data": CA}


def make(*clusters: dict[str, Any], name: str = "eu-1", key: str = "accessProviders") -> Any:
    providers = [{"name": f"p{at}", "cluster": each} for at, each in enumerate(clusters)]
    return {
        "metadata": {"name": name, "namespace": "fleet", "uid": "u", "resourceVersion": "7"},
        "spec": {"clusterManager": {"name": "m"}},
        "status": {key: providers},
    }


def problems(document: Any) -> str:
    found = parse_profile(document)
    assert isinstance(found, Invalid)
    return "; ".join(found.problems)


@pytest.mark.parametrize("key", ["accessProviders", "credentialProviders"])
def test_a_place(key: str) -> None:
    profile = parse_profile(make({**PLACE, "tls-server-name": "eu-1"}, PLACE | {
        "tls-server-name": "eu-1", "extensions": [{"name": "x", "extension": {"audience": "home"}}],
    }, key=key))  # fmt: skip
    assert isinstance(profile, Profile)
    assert profile.key == "fleet/eu-1"
    assert (profile.server, profile.tls_server_name) == ("https://eu-1.example.com", "eu-1")
    made = build_cluster(profile)
    assert made["spec"] == {
        "server": "https://eu-1.example.com",
        "caBundle": CA,
        "tlsServerName": "eu-1",
        "credentials": {"audience": {}},
    }
    assert made["metadata"]["annotations"] == {"mca.io/cluster-profile": "fleet/eu-1"}
    assert "credentials" not in build_place(profile)["spec"]


def test_the_newer_list_wins() -> None:
    document = make(PLACE)
    other = {**PLACE, "server": "https://old.example.com"}
    document["status"]["credentialProviders"] = [{"name": "old", "cluster": other}]
    profile = parse_profile(document)
    assert isinstance(profile, Profile)
    assert profile.server == "https://eu-1.example.com"
    assert "tlsServerName" not in build_place(profile)["spec"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (make(), "names no server"),
        ({"metadata": {"name": "x"}}, "names no server"),
        (make({}), "names no server"),
        (make(PLACE, {**PLACE, "server": "https://other.example.com"}), "different servers"),
        (make(PLACE, {**PLACE, "certificate-authority-data": OTHER}), "different servers or CAs"),
        (make({**PLACE, "insecure-skip-tls-verify": True}), "[0].cluster.insecure-skip"),
        (make({**PLACE, "proxy-url": "http://p"}), "[0].cluster.proxy-url"),
        (make({"server": "https://x", "certificate-authority": "/etc/x"}), "on another machine"),
        (make({"server": "https://x"}), "certificate-authority-data: is missing"),
        (make({**PLACE, "server": "http://eu-1.example.com"}), "spec.server"),
        (make({**PLACE, "certificate-authority-data": "%%"}), "spec.caBundle"),
        (make(PLACE, name="home"), "metadata.name"),
    ],
)  # fmt: skip
def test_what_is_no_place(document: Any, told: str) -> None:
    assert told in problems(document)


def test_what_changes_and_concerns_nobody_is_not_kept() -> None:
    one, two = make(PLACE), make(PLACE)
    two["metadata"]["resourceVersion"] = "8"
    two["metadata"]["labels"] = {"a": "b"}
    assert parse_profile(one) == parse_profile(two)


def test_where_they_are() -> None:
    assert find_path("fleet").endswith("/namespaces/fleet/clusterprofiles")
