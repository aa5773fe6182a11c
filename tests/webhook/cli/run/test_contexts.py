import base64
import copy
from pathlib import Path
from typing import Any

import pytest

from sidecar.secret import Secret
from webhook.cli.run.contexts import (
    CertLogin,
    Context,
    Inline,
    OnDisk,
    TokenLogin,
    read_context,
)
from webhook.cli.run.exec_plugin import Plugin
from webhook.cli.run.kubeconfig import Entry, Kubeconfig

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
CLUSTER = {
    "server": "https://api.example:6443",
    "certificate-authority-data": base64.b64encode(PEM).decode(),
}
TOKEN = {"token": "t"}
EXEC = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "issue",
    "interactiveMode": "Never",
}


def read(
    folder: Path,
    user: dict[str, Any],
    cluster: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
) -> Context | tuple[str, ...]:
    """A context c of cluster k and user u; None in `cluster` takes a field away."""
    raw = {key: value for key, value in (CLUSTER | (cluster or {})).items() if value is not None}
    where = str(folder)
    kubeconfig = Kubeconfig(
        "c",
        {"c": Entry({"cluster": "k", "user": "u", **(context or {})}, where)},
        {"k": Entry(raw, where)},
        {"u": Entry(copy.deepcopy(user), where)},
    )
    return read_context(kubeconfig, "c", env or {})


def good(*arguments: Any, **options: Any) -> Context:
    context = read(*arguments, **options)
    assert isinstance(context, Context), context
    return context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tok", "crt", "key", "ca"):
        (tmp_path / name).write_bytes(PEM)
    return tmp_path


def test_a_token(folder: Path) -> None:
    context = good(folder, {"token": "abc"}, context={"namespace": "team-a"})
    assert context == Context(
        "c",
        "team-a",
        "https://api.example:6443",
        None,
        Inline(Secret(PEM)),
        TokenLogin(Inline(Secret(b"abc"))),
    )
    assert "abc" not in repr(context)


def test_paths_start_from_the_file_that_names_them(folder: Path) -> None:
    files = {"client-certificate": "crt", "client-key": "./x/../key"}
    context = good(
        folder, files, {"certificate-authority": "ca", "certificate-authority-data": None}
    )
    assert context.ca == OnDisk(f"{folder}/ca")
    assert context.login == CertLogin(OnDisk(f"{folder}/crt"), OnDisk(f"{folder}/key"))
    assert context.namespace == "default"
    absolute = good(folder, {"tokenFile": str(folder / "tok")})
    assert absolute.login == TokenLogin(OnDisk(f"{folder}/tok"))


def test_data_may_stand_beside_a_file_of_its_counterpart(folder: Path) -> None:
    data = base64.encodebytes(PEM).decode()
    context = good(folder, {"client-certificate-data": data, "client-key": "key"})
    assert context.login == CertLogin(Inline(Secret(PEM)), OnDisk(f"{folder}/key"))


def test_a_token_file_wins_as_long_as_it_can_be_read(folder: Path) -> None:
    assert good(folder, {"tokenFile": "tok", "token": "abc"}).login == TokenLogin(
        OnDisk(f"{folder}/tok")
    )
    assert good(folder, {"tokenFile": "nope", "token": "abc"}).login == TokenLogin(
        Inline(Secret(b"abc"))
    )


@pytest.mark.parametrize(
    "user",
    [
        {"token": "abc", "exec": EXEC},
        {"client-certificate": "crt", "client-key": "key", "exec": EXEC},
    ],
)
def test_a_plugin_is_for_those_who_have_nothing_else(folder: Path, user: dict[str, Any]) -> None:
    assert not isinstance(good(folder, user).login, Plugin)


def test_a_plugin_is_told_of_the_cluster_if_it_wants(folder: Path) -> None:
    extensions = [
        {"name": "other", "extension": 1},
        {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}},
    ]
    cluster = {"tls-server-name": "inner", "extensions": extensions}
    user = {"exec": {**EXEC, "provideClusterInfo": True}}
    login = good(folder, user, cluster).login
    assert isinstance(login, Plugin)
    assert login.cluster == {
        "server": "https://api.example:6443",
        "tls-server-name": "inner",
        "certificate-authority-data": CLUSTER["certificate-authority-data"],
        "config": {"audience": "x"},
    }
    by_file = {"certificate-authority": "ca", "certificate-authority-data": None, "extensions": 7}
    login = good(folder, user, by_file).login
    assert isinstance(login, Plugin)
    assert login.cluster == {
        "server": "https://api.example:6443",
        "certificate-authority-data": CLUSTER["certificate-authority-data"],
        "config": None,
    }
    unasked = good(folder, {"exec": EXEC}).login
    assert isinstance(unasked, Plugin)
    assert unasked.cluster is None


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://a", "https://a"),
        ("https://a/", "https://a"),
        ("https://[::1]:6443", "https://[::1]:6443"),
    ],
)
def test_servers(folder: Path, given: str, taken: str) -> None:
    assert good(folder, {"token": "t"}, {"server": given}).server == taken


def test_without_a_ca_the_machines_own_are_trusted(folder: Path) -> None:
    none = {"certificate-authority-data": None}
    env = {"SSL_CERT_FILE": str(folder / "ca")}
    assert good(folder, {"token": "t"}, none, env=env).ca == OnDisk(f"{folder}/ca")


@pytest.mark.parametrize(
    ("user", "cluster", "said"),
    [
        # What is refused, and what to do instead.
        (
            TOKEN,
            {"insecure-skip-tls-verify": True},
            "cluster 'k': insecure-skip-tls-verify: the server is always verified",
        ),
        (TOKEN, {"proxy-url": "http://p"}, "cluster 'k': proxy-url: servers are called directly"),
        (TOKEN, {"server": "http://a:8080"}, "cluster 'k': server: http would send the credential"),
        ({"token": "t", "as": "root"}, {}, "user 'u': as: impersonation is not supported"),
        ({"token": "t", "as-uid": "1"}, {}, "user 'u': as-uid: "),
        ({"token": "t", "as-groups": ["g"]}, {}, "user 'u': as-groups: "),
        ({"token": "t", "as-user-extra": {"a": ["b"]}}, {}, "user 'u': as-user-extra: "),
        ({"username": "a"}, {}, "user 'u': username: "),
        ({"password": "a"}, {}, "user 'u': password: "),
        (
            {"auth-provider": {"name": "gcp"}},
            {},
            "user 'u': auth-provider: kubectl itself dropped these",
        ),
        # What is no good.
        ({}, {}, "user 'u': token: is not set, nor is tokenFile, client-certificate or exec"),
        ({"token": 1234}, {}, "user 'u': token: must be a string"),
        ({"token": "a b"}, {}, "user 'u': token: holds characters"),
        ({"tokenFile": "nope"}, {}, "nope: No such file or directory"),
        ({"client-certificate": "crt"}, {}, "user 'u': client-key: is not set"),
        ({"client-key": "key"}, {}, "user 'u': client-certificate: is not set"),
        (
            {"client-certificate": "nope", "client-key": "key"},
            {},
            "user 'u': client-certificate: /",
        ),
        (
            {"client-certificate": "crt", "client-certificate-data": "QQ==", "client-key": "key"},
            {},
            "user 'u': client-certificate-data: and client-certificate are both set",
        ),
        (
            {"client-certificate": "crt", "client-key": "key", "token": "t"},
            {},
            "user 'u': client-certificate: and a token are both set",
        ),
        (
            {"client-certificate-data": "!", "client-key": "key"},
            {},
            "user 'u': client-certificate-data: is not base64",
        ),
        ({"exec": []}, {}, "user 'u': exec: must be a mapping"),
        (TOKEN, {"server": None}, "cluster 'k': server: is not set"),
        (TOKEN, {"server": "a:6443"}, "'a:6443' is not of the form https://host:port"),
        (TOKEN, {"server": "https://r/k8s/clusters/c"}, "without a path"),
        (TOKEN, {"server": "https://u:p@a"}, "is not of the form"),
        (TOKEN, {"tls-server-name": 1}, "cluster 'k': tls-server-name: must be a string"),
        (
            TOKEN,
            {"certificate-authority": "ca"},
            "certificate-authority-data: and certificate-authority are both set",
        ),
        (TOKEN, {"certificate-authority-data": "QQ=="}, "holds no certificate in PEM form"),
        (
            TOKEN,
            {"certificate-authority": "nope", "certificate-authority-data": None},
            "certificate-authority: /",
        ),
    ],
)
def test_what_is_refused_names_its_field(
    folder: Path, user: dict[str, Any], cluster: dict[str, Any], said: str
) -> None:
    told = read(folder, user, cluster)
    assert isinstance(told, tuple)
    assert len(told) == 1
    assert said in told[0]
    assert "a b" not in told[0]


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"namespace": "Team A"}, "context 'c': namespace: 'Team A' is no name of a namespace"),
        ({"cluster": "x"}, "context 'c': cluster: 'x' is not in the kubeconfig"),
        ({"user": "x"}, "context 'c': user: 'x' is not in the kubeconfig"),
        ({"user": ""}, "context 'c': user: is not set"),
        ({"user": 7}, "context 'c': user: must be a string"),
    ],
)
def test_contexts_that_lead_nowhere(folder: Path, context: dict[str, Any], said: str) -> None:
    told = read(folder, {"token": "t"}, context=context)
    assert isinstance(told, tuple)
    assert said in told


def test_everything_wrong_is_said_at_once(folder: Path) -> None:
    told = read(
        folder,
        {"as": "x", "username": "y"},
        {"server": "", "proxy-url": "z"},
        {"namespace": "-"},
    )
    assert isinstance(told, tuple)
    fields = [line.split(": ")[1] for line in told]
    assert fields == ["namespace", "proxy-url", "server", "as", "username"]


def test_no_ca_and_no_trust_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.cli.run.contexts._SYSTEM_BUNDLES", (str(folder / "nope"),))
    told = read(folder, {"token": "t"}, {"certificate-authority-data": None})
    assert isinstance(told, tuple)
    assert "certificate-authority: is not set" in told[0]
