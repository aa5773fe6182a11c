import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.policy.snapshot import CertFiles, Snapshot, TokenFile, parse_snapshot
from sidecar.secret import Secret
from webhook.cli.run.contexts import CertLogin, Context, Inline, Login, OnDisk, TokenLogin
from webhook.cli.run.exec_plugin import Issued, Plugin
from webhook.cli.run.folder import RunFolder
from webhook.cli.run.members import MAX_CLUSTERS, MemberError, Members, choose_name

PLUGIN = Plugin("client.authentication.k8s.io/v1", "issue", (), {}, "", "Never", None)
TOKEN = TokenLogin(Inline(Secret(b"one")))


def context(name: str, login: Login = TOKEN, **changes: Any) -> Context:
    fields: dict[str, Any] = {
        "name": name,
        "namespace": "team-a",
        "server": "https://a:6443",
        "tls_server_name": None,
        "ca": Inline(Secret(b"ca")),
        "login": login,
    }
    return Context(**(fields | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    made = RunFolder({"XDG_RUNTIME_DIR": str(tmp_path)})
    yield made
    made.remove()


def written(members: Members) -> Snapshot:
    path = members.write()
    assert oct(os.stat(path).st_mode)[-3:] == "600"
    snapshot = parse_snapshot(Path(path).read_bytes())
    assert isinstance(snapshot, Snapshot), snapshot
    return snapshot


def test_the_chosen_context_is_home_and_its_secrets_are_private_files(folder: RunFolder) -> None:
    home = context("prod", tls_server_name="inner", server="https://[::1]")
    snapshot = written(Members(folder, home, None))
    assert snapshot.namespace == "team-a"
    (cluster,) = snapshot.clusters
    assert (cluster.name, cluster.server, cluster.tls_server_name) == (
        "home",
        "https://[::1]",
        "inner",
    )
    assert cluster.ca_file is not None
    assert Path(cluster.ca_file).read_bytes() == b"ca"
    assert isinstance(cluster.credentials, TokenFile)
    token = Path(cluster.credentials.path)
    assert token.read_bytes() == b"one"
    for path in (token, token.parent, Path(cluster.ca_file)):
        assert oct(path.stat().st_mode)[-3:] == ("700" if path.is_dir() else "600"), path


def test_files_of_the_users_own_are_named_where_they_are(folder: RunFolder) -> None:
    login = CertLogin(OnDisk("/x/crt"), Inline(Secret(b"key")))
    (cluster,) = written(Members(folder, context("c", login, ca=OnDisk("/x/ca")), None)).clusters
    assert cluster.ca_file == "/x/ca"
    assert isinstance(cluster.credentials, CertFiles)
    assert cluster.credentials.cert_path == "/x/crt"
    assert Path(cluster.credentials.key_path).read_bytes() == b"key"


def test_what_a_plugin_issues_is_put_where_the_snapshot_says(folder: RunFolder) -> None:
    first = Issued(None, Secret(b"c1"), Secret(b"k1"), None)
    members = Members(folder, context("c", PLUGIN), first)
    (cluster,) = written(members).clusters
    assert isinstance(cluster.credentials, CertFiles)
    paths = [Path(cluster.credentials.cert_path), Path(cluster.credentials.key_path)]
    assert [path.read_bytes() for path in paths] == [b"c1", b"k1"]
    members.renew("home", Issued(None, Secret(b"c2"), Secret(b"k2"), None))
    assert [path.read_bytes() for path in paths] == [b"c2", b"k2"]
    token = Members(folder, context("c", PLUGIN), Issued(Secret(b"t1"), None, None, None))
    token.renew("home", Issued(Secret(b"t2"), None, None, None))
    assert Path(folder.path, "members/home/token").read_bytes() == b"t2"


def test_others_are_members_and_none_of_them_harms_home(folder: RunFolder) -> None:
    members = Members(folder, context("prod"), None)
    members.add(
        [
            context("Stage/EU"),
            context("stage eu"),
            context("home"),
            context("by-plugin", PLUGIN),
            context("bad-port", server="https://a:99999"),
            context("bad-name", tls_server_name="no name"),
        ]
    )
    names = [cluster.name for cluster in written(members).clusters]
    assert names == ["home", "stage-eu", "stage-eu-2", "home-2", "by-plugin"]
    assert members.names["stage-eu-2"] == "stage eu"
    assert members.unissued == {"by-plugin"}
    assert members.left_out.keys() == {"bad-port", "bad-name"}
    assert "port from 1 to 65535" in members.left_out["bad-port"]
    assert "tlsServerName" in members.left_out["bad-name"]


def test_a_home_that_cannot_be_told_is_refused(folder: RunFolder) -> None:
    with pytest.raises(MemberError, match=r"context 'c': clusters\[0\]\.server: must have a port"):
        Members(folder, context("c", server="https://a:0"), None)


def test_no_more_clusters_than_a_snapshot_holds(folder: RunFolder) -> None:
    members = Members(folder, context("c"), None)
    members.add(context(f"c{number}") for number in range(MAX_CLUSTERS + 1))
    assert len(written(members).clusters) == MAX_CLUSTERS
    assert list(members.left_out) == [f"c{MAX_CLUSTERS - 1}", f"c{MAX_CLUSTERS}"]


@pytest.mark.parametrize(
    ("context", "taken", "name"),
    [
        ("prod", (), "prod"),
        ("home", (), "home-2"),
        ("prod", ("prod", "prod-2"), "prod-3"),
        ("kind-Dev_1", (), "kind-dev-1"),
        ("arn:aws:eks:eu-1:123:cluster/x", (), "arn-aws-eks-eu-1-123-cluster-x"),
        ("-a-", (), "a"),
        ("größe", (), "gr-e"),
        ("!", (), "context"),
        ("", ("context",), "context-2"),
        ("x" * 70, (), "x" * 63),
        ("x" * 70, ("x" * 63,), "x" * 61 + "-2"),
        ("x" * 62 + "/y", (), "x" * 62),
        ("x" * 60 + "-yyy", ("x" * 60 + "-yy",), "x" * 60 + "-2"),
    ],
)
def test_names(context: str, taken: tuple[str, ...], name: str) -> None:
    assert choose_name(context, taken) == name


def test_the_snapshot_holds_no_secret(folder: RunFolder) -> None:
    members = Members(folder, context("c", TokenLogin(Inline(Secret(b"s3cret")))), None)
    assert "s3cret" not in Path(members.write()).read_text()
    assert json.loads(Path(members.write()).read_text())["revision"] == "mca-run"
