import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sidecar.policy.snapshot import (
    MAX_SNAPSHOT_BYTES,
    CertFiles,
    Cluster,
    Snapshot,
    TokenFile,
    parse_snapshot,
)
from sidecar.policy.snapshot_broker import Broker
from sidecar.policy.snapshot_routes import Match, Route, RouteMember
from sidecar.policy.snapshot_tenant import Tenant

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n"


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


BUNDLE = encoded(PEM)
GOOD: dict[str, Any] = {
    "apiVersion": "mca.io/v1alpha1",
    "kind": "Snapshot",
    "version": 1,
    "revision": "sha256:0a1b",
    "namespace": "team-a",
    "tenant": None,
    "clusters": [
        {
            "name": "home",
            "server": "https://10.96.0.1:443",
            "caBundle": BUNDLE,
            "tlsServerName": None,
            "credentials": {"tokenFile": "/var/run/secrets/token"},
        },
        {
            "name": "east",
            "server": "https://east.example.com",
            "caBundle": {"caFile": "/etc/east/ca.crt"},
            "tlsServerName": "api.east.example.com",
            "credentials": {"certFile": "/etc/east/tls.crt", "keyFile": "/etc/east/tls.key"},
        },
    ],
    "routes": [],
}
TENANT: dict[str, Any] = {
    "name": "acme",
    "mode": "enforce",
    "namespaces": ["team-a"],
    "permissions": [],
}
ROUTE: dict[str, Any] = {
    "name": "builds",
    "priority": 100,
    "match": [{"groups": [""], "resources": ["pods", "pods/*"]}],
    "to": {"members": [{"cluster": "east"}]},
}
BROKER = {"server": "https://broker:8444", "caBundle": BUNDLE}
REMOVED = object()


def changed(path: str, value: object) -> dict[str, Any]:
    """A good snapshot with one thing changed, added or removed."""
    document: Any = copy.deepcopy(GOOD)
    here = document
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in way:
        here = here[step]
    if value is REMOVED:
        del here[last]
    else:
        here[last] = value
    return document  # type: ignore[no-any-return]


def errors(document: object) -> tuple[str, ...]:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    found = parse_snapshot(raw)
    assert not isinstance(found, Snapshot), "the snapshot was taken"
    assert found
    assert all(line.isprintable() and len(line) < 300 for line in found)
    return found


def test_a_good_snapshot() -> None:
    assert parse_snapshot(json.dumps(GOOD).encode()) == Snapshot(
        "sha256:0a1b",
        "team-a",
        (
            Cluster(
                "home",
                "https://10.96.0.1:443",
                "10.96.0.1",
                443,
                PEM,
                None,
                None,
                TokenFile("/var/run/secrets/token"),
            ),
            Cluster(
                "east",
                "https://east.example.com",
                "east.example.com",
                443,
                None,
                "/etc/east/ca.crt",
                "api.east.example.com",
                CertFiles("/etc/east/tls.crt", "/etc/east/tls.key"),
            ),
        ),
    )


def test_a_tenant_and_routes() -> None:
    document = GOOD | {"tenant": TENANT, "routes": [ROUTE]}
    found = parse_snapshot(json.dumps(document).encode())
    assert isinstance(found, Snapshot)
    assert found.tenant == Tenant("acme", "enforce", ("team-a",), ())
    match = Match(("",), ("pods", "pods/*"))
    assert found.routes == (Route("builds", 100, (match,), (RouteMember("east"),)),)


def test_a_broker() -> None:
    document = changed("clusters/1/credentials", {"broker": True}) | {"broker": BROKER}
    found = parse_snapshot(json.dumps(document).encode())
    assert isinstance(found, Snapshot)
    assert found.broker == Broker("https://broker:8444", "broker", 8444, PEM)


def test_a_broker_that_no_cluster_needs() -> None:
    found = parse_snapshot(json.dumps(GOOD | {"broker": BROKER}).encode())
    assert isinstance(found, Snapshot)
    assert found.broker is not None
    found = parse_snapshot(json.dumps(GOOD | {"broker": None}).encode())
    assert isinstance(found, Snapshot)
    assert found.broker is None


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("apiVersion", "mca.io/v1", "apiVersion: must be 'mca.io/v1alpha1'"),
        ("kind", "Config", "kind: must be 'Snapshot'"),
        ("version", 2, "version: this sidecar reads version 1 only, not 2:"),
        ("version", "1", "version: this sidecar reads version 1 only, not"),
        ("version", True, "version: this sidecar reads version 1 only, not true"),
        ("version", 1.0, "version: this sidecar reads version 1 only, not 1.0"),
        ("version", REMOVED, "version: is missing"),
        ("revision", "", "revision: must be"),
        ("revision", "a b", "revision: must be"),
        ("revision", 7, "revision: must be"),
        ("namespace", "Team", "namespace: must be a namespace's name"),
        ("namespace", "a.b", "namespace: must be a namespace's name"),
        ("tenant", [], "tenant: must be an object"),
        ("tenant", TENANT | {"mode": "loose"}, "tenant.mode: must be enforce, or audit"),
        ("tenant", REMOVED, "tenant: is missing"),
        ("routes", None, "routes: must be a list of 0 to 1000"),
        ("routes", [ROUTE, ROUTE], "routes[1].name: 'builds' stands twice"),
        ("broker", BROKER | {"server": ""}, "broker.server: must be https://host"),
        (
            "clusters/1/credentials",
            {"broker": True},
            "broker: is missing: cluster 'east' needs it",
        ),
        ("extra", 1, "extra: is not a field of version 1: remove it"),
        ("clusters/1/server", "http://a", "clusters[1].server: must be https://host"),
    ],
)
def test_one_thing_wrong_gives_one_error_with_its_path(
    path: str, value: object, error: str
) -> None:
    (found,) = errors(changed(path, value))
    assert error in found
    assert "secret" not in found


def test_all_errors_are_told_at_once() -> None:
    document = changed("clusters/0/server", "http://a")
    document["clusters"][1]["credentials"] = {}
    document["routes"] = [1]
    assert [line.partition(":")[0] for line in errors(document)] == [
        "clusters[0].server",
        "clusters[1].credentials",
        "routes[0]",
    ]


def test_but_not_without_end() -> None:
    assert len(errors(GOOD | {"clusters": [1] * 200})) == 50


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", "$: is not JSON"),
        (b"{", "$: is not JSON"),
        (b"[" * 100_000, "$: is not JSON"),
        (b"\xff", "$: is not UTF-8"),
        (b"\xef\xbb\xbf{}", "$: is not JSON"),
        (b"[]", "$: must be an object"),
        (b"null", "$: must be an object"),
        (b" " * (MAX_SNAPSHOT_BYTES + 1), "at most 1048576 are read"),
    ],
)
def test_what_is_no_document(text: bytes, error: str) -> None:
    (found,) = errors(text)
    assert error in found


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('"kind"', '"kind": "Snapshot", "kind"', "$: gives 'kind' twice: keep one"),
        ('"name"', '"name": "x", "name"', "clusters[0]: gives 'name' twice: keep one"),
        ('"caFile"', '"caFile": "/x", "caFile"', "clusters[1].caBundle: gives 'caFile' twice"),
        ('"certFile"', '"certFile": "/x", "certFile"', "clusters[1].credentials: gives 'certFile'"),
    ],
)
def test_a_key_given_twice_is_refused(old: str, new: str, error: str) -> None:
    text = json.dumps(GOOD).replace(old, new, 1)
    (found,) = errors(text.encode())
    assert error in found


def test_nothing_more_is_said_of_another_version() -> None:
    (found,) = errors({"version": 3, "policies": []})
    assert found.startswith("version: ")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "server", "caFile", "x"]), inner)
        ),
        max_leaves=6,
    ),
    st.sampled_from([*GOOD, "clusters/0", *(f"clusters/0/{key}" for key in GOOD["clusters"][0])]),
)
def test_anything_in_any_place_is_taken_or_refused(value: object, path: str) -> None:
    found = parse_snapshot(json.dumps(changed(path, value)).encode())
    if not isinstance(found, Snapshot):
        assert found
        assert all(line.isprintable() for line in found)
