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
    assert isinstance(found, tuple), "the snapshot was taken"
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


@pytest.mark.parametrize(
    ("server", "host", "port"),
    [
        ("https://api", "api", 443),
        ("https://api.example.com:6443", "api.example.com", 6443),
        ("https://[fd00::1]", "fd00::1", 443),
        ("https://[::1]:6443", "::1", 6443),
        ("https://127.0.0.1:65535", "127.0.0.1", 65535),
    ],
)
def test_servers(server: str, host: str, port: int) -> None:
    found = parse_snapshot(json.dumps(changed("clusters/0/server", server)).encode())
    assert isinstance(found, Snapshot)
    assert (found.clusters[0].host, found.clusters[0].port) == (host, port)


def test_a_server_name_may_be_left_out() -> None:
    found = parse_snapshot(json.dumps(changed("clusters/1/tlsServerName", REMOVED)).encode())
    assert isinstance(found, Snapshot)
    assert found.clusters[1].tls_server_name is None


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
        ("tenant", {}, "tenant: must be null: this version of the sidecar serves no tenants"),
        ("tenant", REMOVED, "tenant: is missing"),
        ("routes", [{}], "routes: must be []: this version of the sidecar serves no routes"),
        ("routes", None, "routes: must be []"),
        ("extra", 1, "extra: is not a field of version 1: remove it"),
        ("clusters", [], "clusters: must be a list of 1 to 256"),
        ("clusters", {}, "clusters: must be a list of 1 to 256"),
        ("clusters", [1], "clusters[0]: must be an object"),
        ("clusters/0/name", "away", "clusters: must hold the cluster 'home'"),
        ("clusters/1/name", "home", "clusters[1].name: 'home' stands twice"),
        ("clusters/1/name", "East", "clusters[1].name: must be a DNS-1123 label"),
        ("clusters/1/name", "a" * 64, "clusters[1].name: must be a DNS-1123 label"),
        ("clusters/1/name", REMOVED, "clusters[1].name: is missing"),
        ("clusters/1/proxy", "", "clusters[1].proxy: is not a field of version 1"),
        ("clusters/1/server", "http://a", "clusters[1].server: must be https://host"),
        ("clusters/1/server", "https://a/", "clusters[1].server: must be https://host"),
        ("clusters/1/server", "https://a/b", "clusters[1].server: must be https://host"),
        ("clusters/1/server", "https://u@a", "clusters[1].server: must be https://host"),
        ("clusters/1/server", "https://a?b", "clusters[1].server: must be https://host"),
        ("clusters/1/server", "https://", "clusters[1].server: must be https://host"),
        ("clusters/1/server", "https://a:b", "clusters[1].server: must be https://host"),
        ("clusters/1/server", "HTTPS://a", "clusters[1].server: must be https://host"),
        ("clusters/1/server", None, "clusters[1].server: must be https://host"),
        ("clusters/1/server", "https://a:0", "clusters[1].server: must have a port"),
        ("clusters/1/server", "https://a:65536", "clusters[1].server: must have a port"),
        ("clusters/1/server", "https://-a", "clusters[1].server: must name a DNS host"),
        ("clusters/1/server", "https://a..b", "clusters[1].server: must name a DNS host"),
        ("clusters/1/caBundle", None, "clusters[1].caBundle: must be the CA certificates"),
        ("clusters/1/caBundle", "", "clusters[1].caBundle: must be the CA certificates"),
        ("clusters/1/caBundle", PEM.decode(), "clusters[1].caBundle: must be the CA"),
        ("clusters/1/caBundle", encoded(b"\xff"), "clusters[1].caBundle: must be the CA"),
        ("clusters/1/caBundle", encoded(b"text"), "it needs a certificate and no private key"),
        (
            "clusters/1/caBundle",
            encoded(PEM.replace(b"AAAA", b"AAA")),
            "clusters[1].caBundle: must be the CA",
        ),
        (
            "clusters/1/caBundle",
            encoded(PEM + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "it needs a certificate and no private key",
        ),
        ("clusters/1/caBundle", "A" * 300_000, "clusters[1].caBundle: must be the CA"),
        ("clusters/1/caBundle/caFile", "ca.crt", "clusters[1].caBundle.caFile: must be an"),
        ("clusters/1/caBundle/caFile", "/a/../b", "clusters[1].caBundle.caFile: must be an"),
        ("clusters/1/caBundle/caFile", "/a\x00", "clusters[1].caBundle.caFile: must be an"),
        ("clusters/1/caBundle/caFile", "/" * 5000, "clusters[1].caBundle.caFile: must be an"),
        ("clusters/1/caBundle/caFile", 1, "clusters[1].caBundle.caFile: must be an"),
        ("clusters/1/caBundle/x", 1, "clusters[1].caBundle.x: is not a field"),
        ("clusters/1/tlsServerName", "", "clusters[1].tlsServerName: must be null or a DNS"),
        ("clusters/1/tlsServerName", "a b", "clusters[1].tlsServerName: must be null or a DNS"),
        ("clusters/1/credentials", {}, "clusters[1].credentials: must be exactly one"),
        ("clusters/1/credentials", None, "clusters[1].credentials: must be exactly one"),
        ("clusters/1/credentials/tokenFile", "/t", "clusters[1].credentials: must be exactly"),
        ("clusters/1/credentials/keyFile", REMOVED, "clusters[1].credentials: must be exactly"),
        ("clusters/1/credentials/keyFile", "k", "clusters[1].credentials.keyFile: must be an"),
        ("clusters/1/credentials/certFile", "", "clusters[1].credentials.certFile: must be"),
        ("clusters/0/credentials/tokenFile", "t", "clusters[0].credentials.tokenFile: must"),
        ("clusters/0/credentials", {"token": "secret"}, "clusters[0].credentials: must be"),
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
        "routes",
        "clusters[0].server",
        "clusters[1].credentials",
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
