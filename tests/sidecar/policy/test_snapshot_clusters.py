import base64
import copy
import json
from typing import Any

import pytest

from sidecar.policy.fields import Check, read_json
from sidecar.policy.snapshot_clusters import (
    Brokered,
    CertFiles,
    Cluster,
    ClusterLimits,
    HealthCheck,
    TokenFile,
    read_clusters,
)

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n"


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


HOME: dict[str, Any] = {
    "name": "home",
    "server": "https://10.96.0.1:443",
    "caBundle": encoded(PEM),
    "tlsServerName": None,
    "credentials": {"tokenFile": "/var/run/secrets/token"},
}
EAST: dict[str, Any] = {
    "name": "east",
    "server": "https://east.example.com",
    "caBundle": {"caFile": "/etc/east/ca.crt"},
    "tlsServerName": "api.east.example.com",
    "credentials": {"certFile": "/etc/east/tls.crt", "keyFile": "/etc/east/tls.key"},
    "labels": {"zone": "b", "example.com/tier": ""},
    "healthCheck": {"intervalSeconds": 2.5, "failureThreshold": 1},
    "limits": {"maxConnections": 64},
}
REMOVED = object()


def read(value: object) -> tuple[tuple[Cluster, ...] | None, list[str]]:
    check = Check()
    return read_clusters(check, read_json(json.dumps(value).encode())), check.errors


def changed(path: str, value: object) -> list[Any]:
    """Both clusters, with one thing of the second changed, added or removed."""
    document: Any = copy.deepcopy([HOME, EAST])
    here = document[1]
    *way, last = path.split("/")
    for step in way:
        here = here[step]
    if value is REMOVED:
        del here[last]
    else:
        here[last] = value
    return document  # type: ignore[no-any-return]


def test_good_clusters() -> None:
    assert read([HOME, EAST]) == (
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
                (("example.com/tier", ""), ("zone", "b")),
                HealthCheck("/readyz", 2.5, 2, 1),
                ClusterLimits(64, 0),
            ),
        ),
        [],
    )


def test_a_credential_of_the_broker() -> None:
    found, errors = read(changed("credentials", {"broker": True}))
    assert found is not None
    assert not errors
    assert found[1].credentials == Brokered()


def test_home_has_its_credential_in_a_file() -> None:
    _, errors = read([HOME | {"credentials": {"broker": True}}])
    assert errors == [
        "clusters[0].credentials: home is called with the pod's own token: name its file"
    ]


@pytest.mark.parametrize("key", ["tlsServerName", "labels", "healthCheck", "limits"])
@pytest.mark.parametrize("value", [None, REMOVED])
def test_what_may_be_left_out(key: str, value: object) -> None:
    found, errors = read(changed(key, value))
    assert found is not None
    assert not errors
    usual = Cluster("east", "", "", 0, None, None, None, TokenFile("/t"))
    attribute = {"tlsServerName": "tls_server_name", "healthCheck": "health"}.get(key, key)
    assert getattr(found[1], attribute) == getattr(usual, attribute)


def test_a_health_check_of_the_usual_kind() -> None:
    found, _ = read(changed("healthCheck", {}))
    assert found is not None
    assert found[1].health == HealthCheck("/readyz", 10, 2, 3)


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
    found, _ = read(changed("server", server))
    assert found is not None
    assert (found[1].host, found[1].port) == (host, port)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([], "clusters: must be a list of 1 to 256"),
        ({}, "clusters: must be a list of 1 to 256"),
        (None, "clusters: must be a list of 1 to 256"),
        ([HOME] * 257, "clusters: must be a list of 1 to 256"),
        ([1], "clusters[0]: must be an object"),
        ([EAST], "clusters: must hold the cluster 'home'"),
        ([HOME, HOME], "clusters[1].name: 'home' stands twice"),
    ],
)
def test_lists_that_are_refused(value: object, error: str) -> None:
    _, errors = read(value)
    assert [line for line in errors if error in line]


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("name", "East", "clusters[1].name: must be a DNS-1123 label"),
        ("name", "a" * 64, "clusters[1].name: must be a DNS-1123 label"),
        ("name", REMOVED, "clusters[1].name: is missing"),
        ("proxy", "", "clusters[1].proxy: is not a field of version 1"),
        ("server", "http://a", "clusters[1].server: must be https://host"),
        ("server", "https://a/", "clusters[1].server: must be https://host"),
        ("server", "https://a/b", "clusters[1].server: must be https://host"),
        ("server", "https://u@a", "clusters[1].server: must be https://host"),
        ("server", "https://a?b", "clusters[1].server: must be https://host"),
        ("server", "https://", "clusters[1].server: must be https://host"),
        ("server", "https://a:b", "clusters[1].server: must be https://host"),
        ("server", "HTTPS://a", "clusters[1].server: must be https://host"),
        ("server", None, "clusters[1].server: must be https://host"),
        ("server", "https://a:0", "clusters[1].server: must have a port"),
        ("server", "https://a:65536", "clusters[1].server: must have a port"),
        ("server", "https://-a", "clusters[1].server: must name a DNS host"),
        ("server", "https://a..b", "clusters[1].server: must name a DNS host"),
        ("caBundle", None, "clusters[1].caBundle: must be the CA certificates"),
        ("caBundle", "", "clusters[1].caBundle: must be the CA certificates"),
        ("caBundle", PEM.decode(), "clusters[1].caBundle: must be the CA"),
        ("caBundle", encoded(b"\xff"), "clusters[1].caBundle: must be the CA"),
        ("caBundle", encoded(b"text"), "it needs a certificate and no private key"),
        (
            "caBundle",
            encoded(PEM.replace(b"AAAA", b"AAA")),
            "clusters[1].caBundle: must be the CA",
        ),
        (
            "caBundle",
            encoded(PEM + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "it needs a certificate and no private key",
        ),
        ("caBundle", "A" * 300_000, "clusters[1].caBundle: must be the CA"),
        ("caBundle/caFile", "ca.crt", "clusters[1].caBundle.caFile: must be an"),
        ("caBundle/caFile", "/a/../b", "clusters[1].caBundle.caFile: must be an"),
        ("caBundle/caFile", "/a\x00", "clusters[1].caBundle.caFile: must be an"),
        ("caBundle/caFile", "/" * 5000, "clusters[1].caBundle.caFile: must be an"),
        ("caBundle/caFile", 1, "clusters[1].caBundle.caFile: must be an"),
        ("caBundle/x", 1, "clusters[1].caBundle.x: is not a field"),
        ("tlsServerName", "", "clusters[1].tlsServerName: must be null or a DNS"),
        ("tlsServerName", "a b", "clusters[1].tlsServerName: must be null or a DNS"),
        ("credentials", {}, "clusters[1].credentials: must be exactly one"),
        ("credentials", None, "clusters[1].credentials: must be exactly one"),
        ("credentials/tokenFile", "/t", "clusters[1].credentials: must be exactly"),
        ("credentials/keyFile", REMOVED, "clusters[1].credentials: must be exactly"),
        ("credentials/keyFile", "k", "clusters[1].credentials.keyFile: must be an"),
        ("credentials/certFile", "", "clusters[1].credentials.certFile: must be"),
        ("credentials", {"tokenFile": "t"}, "clusters[1].credentials.tokenFile: must"),
        ("credentials", {"token": "secret"}, "clusters[1].credentials: must be"),
        ("credentials", {"broker": False}, "clusters[1].credentials.broker: must be true"),
        ("credentials", {"broker": 1}, "clusters[1].credentials.broker: must be true"),
        ("credentials", {"broker": True, "tokenFile": "/t"}, "clusters[1].credentials: must be"),
        ("labels", [], "labels: must be an object of at most 64 labels"),
        ("labels", {f"l{n}": "" for n in range(65)}, "labels: must be an object of at most 64"),
        ("labels", {"-a": "b"}, "labels: must have label keys"),
        ("labels", {"A_B/a": "b"}, "labels: must have label keys"),
        ("labels", {"a": "b c"}, "labels.a: must be a label's value"),
        ("labels", {"a": 1}, "labels.a: must be a label's value"),
        ("healthCheck", True, "healthCheck: must be an object"),
        ("healthCheck", {"port": 1}, "healthCheck.port: is not a field"),
        ("healthCheck", {"path": "readyz"}, "healthCheck.path: must be a path such as"),
        ("healthCheck", {"path": "/a b"}, "healthCheck.path: must be a path such as"),
        ("healthCheck", {"intervalSeconds": 0}, "intervalSeconds: must be a number from 0.1 to"),
        ("healthCheck", {"timeoutSeconds": "1"}, "timeoutSeconds: must be a number from 0.1 to 60"),
        ("healthCheck", {"failureThreshold": 0}, "failureThreshold: must be a whole number from 1"),
        ("limits", 7, "limits: must be an object"),
        ("limits", {"maxConnections": -1}, "limits.maxConnections: must be a whole number"),
        ("limits", {"maxStreams": 1.5}, "limits.maxStreams: must be a whole number from 0"),
    ],
)
def test_one_thing_wrong_gives_one_error_with_its_path(
    path: str, value: object, error: str
) -> None:
    _, (found,) = read(changed(path, value))
    assert error in found
    assert "secret" not in found


@pytest.mark.parametrize("key", ["name", "caFile", "certFile", "zone"])
def test_a_key_given_twice_is_refused(key: str) -> None:
    text = json.dumps([HOME, EAST])
    at = text.rindex(f'"{key}"')
    check = Check()
    read_clusters(check, read_json(f'{text[:at]}"{key}": "x", {text[at:]}'.encode()))
    assert [line for line in check.errors if f"gives {key!r} twice: keep one" in line]
