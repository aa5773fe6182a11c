import json
import os
from pathlib import Path
from typing import Any

import pytest

from sidecar import log
from sidecar.config import Settings, parse_settings
from sidecar.log import LineWriter
from sidecar.policy.snapshot import Snapshot, TokenFile
from sidecar.snapshot_file import SnapshotFile, own_namespace
from tests.sidecar.test_watched_file import swap

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is logged."""
    path = tmp_path / "log"
    monkeypatch.setattr(log, "stdout", LineWriter(os.open(path, os.O_CREAT | os.O_WRONLY)))
    return path


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def document(revision: str = "1", **changes: object) -> bytes:
    cluster = {
        "name": "home",
        "server": "https://10.96.0.1:443",
        "caBundle": {"caFile": "/ca.crt"},
        "tlsServerName": None,
        "credentials": {"tokenFile": "/token"},
    }
    whole = {
        "apiVersion": "mca.io/v1alpha1",
        "kind": "Snapshot",
        "version": 1,
        "revision": revision,
        "namespace": "team-a",
        "tenant": None,
        "clusters": [cluster],
        "routes": [],
    }
    return json.dumps({**whole, **changes}).encode()


def settings_for(**env: str) -> Settings:
    settings = parse_settings(env)
    assert isinstance(settings, Settings), settings
    return settings


def named(path: Path, **env: str) -> SnapshotFile:
    return SnapshotFile(settings_for(MCA_SNAPSHOT=str(path), **env))


def follow(source: SnapshotFile) -> Snapshot | None:
    """Look at the file, and take what is new and good."""
    content = source.poll()
    snapshot = None if content is None else source.judge(source.parse(content))
    if snapshot is not None:
        source.take(snapshot)
    return snapshot


def test_a_good_file_is_the_snapshot(tmp_path: Path, lines: Path) -> None:
    (tmp_path / "s").write_bytes(document("7"))
    source = named(tmp_path / "s")
    assert source.snapshot is not None
    assert (source.snapshot.revision, source.errors) == ("7", ())
    assert source.loaded_at > 0
    assert [(line["event"], line["revision"]) for line in events(lines)] == [
        ("snapshot_loaded", "7")
    ]


BAD = {
    "missing": (None, "No such file or directory"),
    "empty": (b"", "JSON"),
    "torn": (document()[:100], "JSON"),
    "another version": (document(version=2), "version"),
    "unknown field": (document(extra=1), "extra"),
    "http": (document(clusters=[]), "clusters"),
    "huge": (b" " * (1 << 20) + document(), "is larger than"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_named_file_that_is_bad_at_the_start_is_no_snapshot(
    tmp_path: Path, lines: Path, case: str
) -> None:
    content, complaint = BAD[case]
    path = tmp_path / "s"
    if content is not None:
        path.write_bytes(content)
    source = named(path)
    assert source.snapshot is None
    assert source.errors
    assert all(error.startswith("MCA_SNAPSHOT: ") for error in source.errors)
    assert all(str(path) in error for error in source.errors)
    assert complaint in " ".join(source.errors)
    (line,) = events(lines)
    assert (line["level"], line["event"], line["kept"]) == ("error", "snapshot_refused", None)
    assert line["errors"] == list(source.errors)


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_goes_bad_later_leaves_the_good_one(
    tmp_path: Path, lines: Path, case: str
) -> None:
    content, complaint = BAD[case]
    path = tmp_path / "s"
    path.write_bytes(document("good"))
    source = named(path)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    for _ in range(3):
        assert follow(source) is None
    assert source.snapshot is not None
    assert source.snapshot.revision == "good"
    assert complaint in " ".join(source.errors)
    refused = [line for line in events(lines) if line["event"] == "snapshot_refused"]
    assert [line["kept"] for line in refused] == ["good"]
    path.write_bytes(document("better"))
    loaded = follow(source)
    assert loaded is source.snapshot
    assert loaded is not None
    assert (loaded.revision, source.errors) == ("better", ())


def test_the_same_fault_in_other_words_is_told_once(tmp_path: Path, lines: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(document(version=2))
    source = named(path)
    path.write_bytes(document("other", version=2))
    assert follow(source) is None
    assert [line["event"] for line in events(lines)] == ["snapshot_refused"]


def test_the_same_fault_is_told_again_after_it_was_mended(tmp_path: Path, lines: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(b"{")
    source = named(path)
    for content in (document(), b"{"):
        path.write_bytes(content)
        follow(source)
    assert [line["event"] for line in events(lines)] == [
        "snapshot_refused",
        "snapshot_loaded",
        "snapshot_refused",
    ]


def test_a_config_map_is_followed(tmp_path: Path) -> None:
    swap(tmp_path, document("1"), "snapshot.v1.json")
    source = named(tmp_path / "snapshot.v1.json")
    assert follow(source) is None
    swap(tmp_path, document("2"), "snapshot.v1.json")
    loaded = follow(source)
    assert loaded is not None
    assert loaded.revision == "2"
    swap(tmp_path, document("2"), "snapshot.v1.json")
    assert follow(source) is None


def test_another_way_to_write_the_same_is_nothing_new(tmp_path: Path, lines: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(document())
    source = named(path)
    path.write_bytes(document() + b"\n")
    assert follow(source) is None
    assert len(events(lines)) == 1


def test_a_snapshot_of_another_namespace_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(document())
    assert named(tmp_path / "s", MCA_NAMESPACE="team-a").snapshot is not None
    source = named(tmp_path / "s", MCA_NAMESPACE="team-b")
    assert source.snapshot is None
    assert "namespace: 'team-a' is not MCA_NAMESPACE 'team-b'" in source.errors[0]


def service_account(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, content in {"ca_crt": "ca", "token": "t", "namespace": "team-a", **files}.items():
        (path / name.replace("_", ".")).write_text(content)
    return path


def home(path: Path, host: str = "10.96.0.1", port: str = "443", **env: str) -> Settings:
    return settings_for(
        MCA_SERVICE_ACCOUNT_DIR=str(path),
        KUBERNETES_SERVICE_HOST=host,
        KUBERNETES_SERVICE_PORT=port,
        **env,
    )


@pytest.mark.parametrize(
    ("host", "port", "server"),
    [
        ("10.96.0.1", "443", "https://10.96.0.1:443"),
        ("fd00::1", "6443", "https://[fd00::1]:6443"),
        ("api.example.com", "443", "https://api.example.com:443"),
    ],
)
def test_unnamed_it_is_the_home_cluster(tmp_path: Path, host: str, port: str, server: str) -> None:
    folder = service_account(tmp_path / "sa")
    source = SnapshotFile(home(folder, host, port))
    assert source.errors == ()
    assert source.snapshot is not None
    (cluster,) = source.snapshot.clusters
    assert (cluster.name, cluster.server) == ("home", server)
    assert (cluster.ca_file, cluster.ca_bundle) == (str(folder / "ca.crt"), None)
    assert cluster.credentials == TokenFile(str(folder / "token"))
    assert (source.snapshot.tenant, source.snapshot.namespace) == (None, "team-a")
    assert follow(source) is None


def test_what_is_missing_for_the_home_cluster_is_named(tmp_path: Path) -> None:
    source = SnapshotFile(home(tmp_path / "sa", "", ""))
    assert source.snapshot is None
    assert [error.split(" ")[0] for error in source.errors] == [
        "KUBERNETES_SERVICE_HOST:",
        "KUBERNETES_SERVICE_PORT:",
        "MCA_SERVICE_ACCOUNT_DIR:",
        "MCA_SERVICE_ACCOUNT_DIR:",
    ]
    assert all("or name a snapshot file by MCA_SNAPSHOT" in error for error in source.errors)
    assert f"{tmp_path}/sa/ca.crt" in source.errors[2]
    assert f"{tmp_path}/sa/token" in source.errors[3]
    folder = service_account(tmp_path / "sa")
    (folder / "token").unlink()
    (error,) = SnapshotFile(home(folder)).errors
    assert f"{folder}/token cannot be read" in error


@pytest.mark.parametrize(
    ("host", "port"),
    [("10.0.0.1/x", "443"), ("a b", "443"), ("user@host", "443"), ("host", "0"), ("host", "x")],
)
def test_a_home_cluster_that_cannot_be_is_named(tmp_path: Path, host: str, port: str) -> None:
    source = SnapshotFile(home(service_account(tmp_path / "sa"), host, port))
    assert source.snapshot is None
    assert all(error.startswith("KUBERNETES_SERVICE_HOST, _PORT: ") for error in source.errors)


def test_a_namespace_that_cannot_be_is_named(tmp_path: Path) -> None:
    (error,) = SnapshotFile(home(service_account(tmp_path / "sa", namespace="Not one"))).errors
    assert error.startswith("MCA_NAMESPACE: ")


def test_the_namespace_is_told_by_the_first_that_knows(tmp_path: Path) -> None:
    folder = service_account(tmp_path / "sa", namespace="from-folder\n")
    (tmp_path / "s").write_bytes(document(namespace="from-snapshot"))
    snapshot = named(tmp_path / "s").snapshot
    assert own_namespace(home(folder, MCA_NAMESPACE="from-setting"), snapshot) == "from-setting"
    assert own_namespace(home(folder), snapshot) == "from-snapshot"
    assert own_namespace(home(folder), None) == "from-folder"
    assert own_namespace(home(tmp_path / "none"), None) == "default"


def account(tmp_path: Path) -> dict[str, str]:
    """The environment of a pod that is pinned and watches its snapshot."""
    for name in ("ca.crt", "token"):
        (tmp_path / name).write_text(PEM)
    return {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443",
        "MCA_SERVICE_ACCOUNT_DIR": str(tmp_path), "MCA_NAMESPACE": "team-a",
        "MCA_MEMBERS": "[]", "MCA_SNAPSHOT_WATCH": "mca-policy",
    }  # fmt: skip


def test_a_pinned_pod_has_its_own_home(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(document())
    source = named(path, **account(tmp_path))
    assert source.home is not None
    assert source.snapshot is not None
    assert source.snapshot.clusters == (source.home,)
    assert source.home.server == "https://10.0.0.1:443"
    assert source.home.credentials == TokenFile(str(tmp_path / "token"))


def test_a_pinned_pod_without_an_account_is_hopeless(tmp_path: Path) -> None:
    env = account(tmp_path)
    (tmp_path / "token").unlink()
    source = named(tmp_path / "s.json", **env)
    assert source.hopeless
    assert "MCA_SERVICE_ACCOUNT_DIR" in source.errors[0]


def test_what_a_watch_will_bring_is_awaited_without_an_error(tmp_path: Path, lines: Path) -> None:
    source = named(tmp_path / "none.json", **account(tmp_path))
    assert not source.hopeless
    assert source.errors
    assert [line["event"] for line in events(lines)] == ["snapshot_awaited"]


def watched(tmp_path: Path) -> tuple[SnapshotFile, Path]:
    """Started from the mount, and then brought further by its watch."""
    path = tmp_path / "s.json"
    path.write_bytes(document("mounted"))
    source = named(path, **account(tmp_path))
    bring(source, document("watched"), "ConfigMap team-a/mca-policy")
    assert source.precedence is not None
    source.precedence.hear()
    return source, path


def bring(source: SnapshotFile, content: bytes, origin: str = "") -> None:
    snapshot = source.judge(source.parse(content, origin))
    if snapshot is not None:
        source.take(snapshot)


def lose(source: SnapshotFile, path: Path, now: float) -> None:
    """The watch breaks: after everything that the file holds was written."""
    assert source.precedence is not None
    source.precedence.lose(now, path.stat().st_mtime_ns)


def test_while_the_watch_works_nobody_looks_at_the_file(tmp_path: Path) -> None:
    source, path = watched(tmp_path)
    swap_in(path, document("lagging"))
    assert source.poll(1000.0) is None


def test_a_mount_that_was_written_before_the_watch_broke_says_nothing(tmp_path: Path) -> None:
    source, path = watched(tmp_path)
    swap_in(path, document("lagging"))
    lose(source, path, 1000.0)
    assert source.poll(1119.0) is None
    assert source.poll(1121.0) is None
    assert source.poll(1500.0) is None


def test_what_is_written_after_it_broke_counts_after_two_minutes(tmp_path: Path) -> None:
    source, path = watched(tmp_path)
    lose(source, path, 1000.0)
    swap_in(path, document("mounted"), later_s=5)
    assert source.poll(1119.0) is None
    content = source.poll(1121.0)
    assert content is not None, "what it held at the start is new beside the watch's"
    bring(source, content)
    assert source.snapshot is not None
    assert source.snapshot.revision == "mounted"
    assert source.poll(1122.0) is None


def test_a_watch_that_is_back_makes_the_file_count_no_more(tmp_path: Path) -> None:
    source, path = watched(tmp_path)
    lose(source, path, 1000.0)
    assert source.poll(1121.0) is None
    assert source.precedence is not None
    source.precedence.stand(1130.0)
    swap_in(path, document("lagging"), later_s=5)
    assert source.poll(1200.0) is None


def test_a_watch_that_brings_nothing_that_can_be_read_is_none(tmp_path: Path) -> None:
    """What was taken away is taken away by the mount, though each new watch is answered."""
    source, path = watched(tmp_path)
    assert source.precedence is not None
    for number in range(4):
        lose(source, path, 1000.0 + 30 * number)
        source.precedence.stand(1025.0 + 30 * number)
    swap_in(path, document("after"), later_s=5)
    assert source.poll(1119.0) is None
    assert source.poll(1121.0) == document("after")


def swap_in(path: Path, content: bytes, later_s: float = 0) -> None:
    """Another file in its place, written so much later."""
    before = path.stat().st_mtime_ns
    draft = path.with_name("draft")
    draft.write_bytes(content)
    written = before + int(later_s * 1e9)
    os.utime(draft, ns=(written, written))
    draft.rename(path)
