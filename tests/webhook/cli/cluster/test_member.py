"""Where a member is: as its context says, or as the options do."""

import argparse
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from webhook.cli.cluster.member import PlaceError, read_place

PEM = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
CA = base64.b64encode(PEM.encode()).decode()


def make(folder: Path, cluster: dict[str, Any], **options: str) -> argparse.Namespace:
    path = folder / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "contexts": [{"name": "eu", "context": {"cluster": "eu", "user": "eu"}}],
        "clusters": [{"name": "eu", "cluster": cluster}],
        "users": [{"name": "eu", "user": {"token": "t"}}],
    }
    path.write_text(json.dumps(document))
    usual = {"kubeconfig": str(path), "context": "eu"}
    given = dict.fromkeys(("server", "ca_file", "tls_server_name")) | usual | options
    return argparse.Namespace(**given)


def test_as_the_context_says(tmp_path: Path) -> None:
    cluster = {"server": "https://eu:6443/", "certificate-authority-data": CA}
    assert read_place(make(tmp_path, cluster)) == ("https://eu:6443", CA, "")
    (tmp_path / "ca.crt").write_text(PEM)
    cluster = {
        "server": "https://eu:6443", "certificate-authority": "ca.crt", "tls-server-name": "eu",
    }  # fmt: skip
    assert read_place(make(tmp_path, cluster)) == ("https://eu:6443", CA, "eu")


def test_as_the_options_say(tmp_path: Path) -> None:
    path = tmp_path / "other.crt"
    path.write_text(PEM * 2)
    cluster = {"server": "https://eu:6443", "certificate-authority-data": CA}
    found = read_place(
        make(tmp_path, cluster, server="https://out:443", ca_file=str(path), tls_server_name="name")
    )
    assert found.server == "https://out:443"
    assert base64.b64decode(found.ca_bundle).decode() == PEM * 2
    assert found.tls_server_name == "name"


@pytest.mark.parametrize(
    ("cluster", "options", "told"),
    [
        ({"server": "http://eu", "certificate-authority-data": CA}, {}, "use https"),
        ({"server": "https://eu", "certificate-authority-data": CA}, {"context": "x"}, "no such"),
        ({"server": "https://eu", "certificate-authority-data": CA}, {"ca_file": "/no"}, "/no"),
        ({"server": "https://eu", "insecure-skip-tls-verify": True}, {}, "insecure-skip"),
        ({"server": "https://eu", "certificate-authority-data": CA}, {"kubeconfig": "/no"}, "/no"),
    ],
    ids=["http", "context", "file", "insecure", "kubeconfig"],
)
def test_what_cannot_be_told(
    tmp_path: Path, cluster: dict[str, Any], options: dict[str, str], told: str
) -> None:
    with pytest.raises(PlaceError, match=told):
        read_place(make(tmp_path, cluster, **options))


def test_all_that_a_machine_trusts_is_no_ca(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = tmp_path / "everything.crt"
    everything.write_text(PEM * 3000)
    monkeypatch.setenv("SSL_CERT_FILE", str(everything))
    with pytest.raises(PlaceError, match="--ca-file"):
        read_place(make(tmp_path, {"server": "https://eu"}))
