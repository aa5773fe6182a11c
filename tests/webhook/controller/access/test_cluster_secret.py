"""What a Secret of credentials may hold: one form, inline, for the Cluster's server."""

import json
from typing import Any

import pytest

from tests.webhook.controller.broker.examples import PEM, encode, make_cluster
from webhook.controller.access.cluster_secret import read_credentials, read_for, same_server
from webhook.controller.access.opening import Bearer, ClientCertificate
from webhook.resources.clusters import Cluster, parse_cluster

SERVER = "https://eu-1.example.com"
SECRET = "never-to-be-seen"
KEY = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"
OLD_KEY = KEY.replace("PRIVATE KEY", "EC PRIVATE KEY")


def secret(type_: str = "mca.io/cluster-credentials", **data: str | bytes) -> dict[str, Any]:
    keys = {"crt": "tls.crt", "key": "tls.key"}
    return {
        "type": type_,
        "data": {keys.get(name, name): encode(value) for name, value in data.items()},
    }


def kubeconfig(server: str = SERVER, ca: str = "", **user: Any) -> str:
    return json.dumps(
        {
            "current-context": "c",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": server, "certificate-authority-data": encode(ca)},
                }
            ],
            "users": [{"name": "c", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        }
    )


PAIR = {"client-certificate-data": encode(PEM), "client-key-data": encode(KEY)}


@pytest.mark.parametrize(
    "given",
    [
        secret(token=SECRET),
        secret(token=f"{SECRET}\n"),
        secret(kubeconfig=kubeconfig(token=SECRET)),
    ],
)
def test_a_token(given: dict[str, Any]) -> None:
    found = read_credentials(given, SERVER)
    assert isinstance(found, Bearer)
    assert found.token.reveal() == SECRET.encode()
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (secret(crt=PEM, key=KEY), KEY),
        (secret(crt=PEM + PEM, key=OLD_KEY), OLD_KEY),
        (secret(kubeconfig=kubeconfig(**PAIR)), KEY),
    ],
)
def test_a_certificate(given: dict[str, Any], key: str) -> None:
    found = read_credentials(given, SERVER)
    assert isinstance(found, ClientCertificate)
    assert found.certificate.startswith(PEM)
    assert found.key.reveal() == key.encode()
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (secret("Opaque", token=SECRET), "type: must be mca.io/cluster-credentials"),
        ({"data": {"token": encode(SECRET)}}, "type: "),
        (secret(), "data: must be exactly one of"),
        ({**secret(), "data": None}, "data: must be exactly one of"),
        (secret(token=SECRET, kubeconfig="a"), "data: must be exactly one of"),
        (secret(crt=PEM), "data: must be exactly one of"),
        (secret(token=SECRET, odd="a"), "data: must be exactly one of"),
        ({**secret(token=SECRET), "data": {"token": SECRET}}, "data.token: is not base64"),
        ({**secret(token=SECRET), "data": {"token": None}}, "data.token: is not base64"),
        (secret(token=""), "data.token: must hold 1 to 65536 bytes"),
        (secret(token="a" * 65537), "data.token: must hold 1 to 65536 bytes"),
        (secret(token=f"{SECRET}\r\nX: y"), "token: is no bearer token"),
        (secret(token=f"{SECRET} b"), "token: is no bearer token"),
        (secret(crt=SECRET, key=KEY), "tls.crt: must be a certificate in PEM"),
        (secret(crt=PEM, key=SECRET), "tls.key: must be a key in PEM"),
        (secret(crt=b"\xff", key=KEY), "tls.crt: must be a certificate in PEM"),
        (secret(crt=PEM + KEY, key=KEY), "tls.crt: holds a private key"),
        (secret(crt=PEM, key=KEY.replace("PRIV", "ENCRYPTED PRIV")), "tls.key: is encrypted"),
        (secret(crt=PEM, key=f"{OLD_KEY}Proc-Type: 4,ENCRYPTED"), "tls.key: is encrypted"),
        (secret(kubeconfig="["), "kubeconfig: is not YAML"),
        (
            secret(kubeconfig=kubeconfig("https://evil.example.com", token=SECRET)),
            f"kubeconfig: clusters[0].cluster.server: is not the Cluster's, {SERVER}",
        ),
        (secret(kubeconfig=kubeconfig("", token=SECRET)), "kubeconfig: clusters[0].cluster.server"),
        (secret(kubeconfig=kubeconfig(token=SECRET, **PAIR)), "kubeconfig: users[0].user: has a"),
        (
            secret(kubeconfig=kubeconfig(token=SECRET, **{"client-key-data": encode(KEY)})),
            "kubeconfig: users[0].user: has a token and a client certificate",
        ),
        (
            secret(kubeconfig=kubeconfig()),
            "kubeconfig: users[0].user.client-certificate-data: must",
        ),
        (
            secret(kubeconfig=kubeconfig(token=f"{SECRET} b")),
            "kubeconfig: users[0].user.token: is no bearer token",
        ),
        (
            secret(kubeconfig=kubeconfig(exec={"command": SECRET})),
            "kubeconfig: users[0].user.exec: no program is run",
        ),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(given: dict[str, Any], told: str) -> None:
    problems = read_credentials(given, SERVER)
    assert isinstance(problems, tuple)
    assert any(str(problem).startswith(told) for problem in problems), problems
    assert SECRET not in repr(problems)


@pytest.mark.parametrize("other", [SERVER, f"{SERVER}:443", f"{SERVER}/", SERVER.upper()])
def test_one_server_has_several_spellings(other: str) -> None:
    assert same_server(SERVER, other)


@pytest.mark.parametrize(
    "other",
    [f"{SERVER}:6443", f"{SERVER}/api", SERVER.replace("eu-1", "eu-2"), f"{SERVER}.evil.example"],
)
def test_another_server_is_another(other: str) -> None:
    assert not same_server(SERVER, other)


def profiled(**spec: Any) -> Cluster:
    """Where it is comes from a ClusterProfile."""
    document = make_cluster(annotations={"mca.io/cluster-profile": "fleet/eu-1"})
    document["spec"] |= spec
    found = parse_cluster(document)
    assert isinstance(found, Cluster)
    return found


def test_a_profile_leads_no_credential_to_another_server() -> None:
    other = PEM.replace("AAAA", "BBBB")
    cluster = profiled()
    wrapped = PEM.replace("AAAA", "AA\nAA")
    for ca in (PEM, wrapped, f"# of eu-1\n{PEM}"):
        given = secret(kubeconfig=kubeconfig(ca=ca, token=SECRET))
        assert isinstance(read_for(given, cluster), Bearer), ca
    for ca in ("", other, PEM + other):
        given = secret(kubeconfig=kubeconfig(ca=ca, token=SECRET))
        told = str(read_for(given, cluster)[0])
        assert "certificate-authority-data: is not the Cluster's caBundle" in told, ca
    good = secret(kubeconfig=kubeconfig(ca=PEM, token=SECRET))
    named = read_for(good, profiled(tlsServerName="evil.example.com"))
    assert str(named[0]).startswith("spec.tlsServerName: ")
    assert str(read_for(secret(token=SECRET), cluster)[0]).startswith("data: must be a kubeconfig")


def test_an_admins_word_for_the_server_and_its_ca_is_enough() -> None:
    document = make_cluster()
    document["spec"]["tlsServerName"] = "eu-1.internal"
    cluster = parse_cluster(document)
    assert isinstance(cluster, Cluster)
    for given in (secret(token=SECRET), secret(kubeconfig=kubeconfig(token=SECRET))):
        assert isinstance(read_for(given, cluster), Bearer)
