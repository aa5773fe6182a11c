"""Each start is a process of its own, as in a pod: the child is forked from a lean parent."""

import json
import os
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sidecar.identity import render_manifest
from sidecar.secret import Secret
from sidecar.tokens import container_token
from tests.sidecar.test_mint import handshake, mint_into

# What __main__ does up to the ports, then a word about what came out of it.
START = """
import json, os, sys
from sidecar.config import Settings, format_errors, parse_settings
from sidecar.identity import IdentityError, begin, finish, write_clients
{before}
settings = parse_settings(os.environ)
assert isinstance(settings, Settings), settings
try:
    minting = begin(settings)
    {between}
    identity = finish(settings, minting)
    write_clients(settings, identity, "team-a")
except IdentityError as error:
    sys.stderr.write(format_errors((str(error),)))
    sys.exit(64)
print(json.dumps({{
    "type": "result",
    "minted": minting is not None,
    "heavy": sorted(name for name in sys.modules if name.split(".")[0] == "cryptography"),
    "cert": identity.cert_path,
    "key": identity.key_path,
    "ca": identity.ca_pem.decode(),
    "shown": repr(identity),
}}))
"""


# For starts that could not write its files.
NO_COVERAGE = dict.fromkeys((name for name in os.environ if "COV" in name), "")


class Start(NamedTuple):
    code: int
    stderr: str
    log: list[dict[str, Any]]
    result: dict[str, Any]


def start(
    path: Path,
    containers: str = "app",
    before: str = "",
    between: str = "",
    **more: str,
) -> Start:
    env = {
        **os.environ,
        "MCA_IDENTITY_DIR": str(path / "identity"),
        "MCA_CLIENTS_DIR": str(path / "clients"),
        "MCA_CONTAINERS": containers,
        **more,
    }
    done = subprocess.run(
        [sys.executable, "-c", START.format(before=before, between=between)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    results = [line for line in lines if line["type"] == "result"]
    log = [line for line in lines if line["type"] == "log"]
    return Start(done.returncode, done.stderr, log, results[0] if results else {})


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Start]:
    path = tmp_path_factory.mktemp("pod")
    return path, start(path, "app,side-1", before="os.umask(0o027)")


def test_the_first_start_mints_without_cryptography_in_the_process(
    started: tuple[Path, Start],
) -> None:
    path, first = started
    assert (first.code, first.stderr, first.log) == (0, "", [])
    assert first.result["minted"]
    assert first.result["heavy"] == []
    assert first.result["cert"] == str(path / "identity" / "tls.crt")
    assert first.result["key"] == str(path / "identity" / "tls.key")
    assert "hidden" in first.result["shown"]
    assert handshake(path / "identity", "kubernetes.default.svc") == "TLSv1.3"


def test_each_container_gets_what_a_service_account_folder_holds(
    started: tuple[Path, Start],
) -> None:
    path, first = started
    seed = Secret((path / "identity" / "seed").read_bytes())
    for container in ("app", "side-1"):
        assert files_of(path / "clients" / container) == {
            "ca.crt": first.result["ca"].encode(),
            "token": container_token(seed, container).reveal(),
            "namespace": b"team-a",
        }
    assert sorted(os.listdir(path / "clients")) == ["app", "side-1"]


def test_modes_do_not_hang_on_the_umask(started: tuple[Path, Start]) -> None:
    path, _ = started
    assert mode(path / "identity") == 0o700
    assert {mode(file) for file in (path / "identity").iterdir()} == {0o600}
    assert mode(path / "clients") == 0o755
    assert mode(path / "clients" / "app") == 0o755
    assert {mode(file) for file in (path / "clients" / "app").iterdir()} == {0o444}


def test_a_restart_keeps_the_identity_and_does_not_touch_a_file(tmp_path: Path) -> None:
    first = start(tmp_path)
    before = {path: os.stat(path) for path in tmp_path.rglob("*")}
    second = start(tmp_path)
    assert (first.result["minted"], second.result["minted"]) == (True, False)
    assert second.result["ca"] == first.result["ca"]
    after = {path: os.stat(path) for path in tmp_path.rglob("*")}
    assert {path: (s.st_ino, s.st_mtime_ns) for path, s in after.items()} == {
        path: (s.st_ino, s.st_mtime_ns) for path, s in before.items()
    }


NAMES = ("ca.crt", "tls.crt", "tls.key", "seed")
YEAR_S = 365 * 86400


def copy_from(identity: Path, other: Path, *names: str) -> None:
    for name in names:
        (identity / name).write_bytes((other / name).read_bytes())


def write_dates(identity: Path, not_before: Any) -> None:
    contents = {name: (identity / name).read_bytes() for name in NAMES}
    (identity / "identity.json").write_bytes(render_manifest(contents, not_before, 0))


SPOILS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "no key": (lambda i, _: (i / "tls.key").unlink(), "tls.key is missing or not ours"),
    "no manifest": (lambda i, _: (i / "identity.json").unlink(), "identity.json is missing"),
    "empty certificate": (lambda i, _: (i / "tls.crt").write_bytes(b""), "do not fit"),
    "half a seed": (lambda i, _: (i / "seed").write_bytes(b"short"), "do not fit"),
    "half a manifest": (lambda i, _: (i / "identity.json").write_bytes(b"{"), "is damaged"),
    "no object": (lambda i, _: (i / "identity.json").write_bytes(b"[]"), "is damaged"),
    "no fields": (lambda i, _: (i / "identity.json").write_bytes(b"{}"), "is damaged"),
    "odd dates": (lambda i, _: write_dates(i, "soon"), "is damaged"),
    "readable key": (lambda i, _: (i / "tls.key").chmod(0o644), "tls.key is missing or not ours"),
    "another key": (lambda i, o: copy_from(i, o, "tls.key"), "do not fit identity.json"),
    "another identity": (lambda i, o: copy_from(i, o, *NAMES), "do not fit identity.json"),
    "expired": (lambda i, _: mint_into(i, time.time() - 11 * YEAR_S), "it is expired"),
    "future": (lambda i, _: mint_into(i, time.time() + 2 * 86400), "not valid yet, by this clock"),
}


@pytest.mark.parametrize("case", SPOILS)
def test_an_identity_that_is_not_whole_is_replaced_as_a_whole(tmp_path: Path, case: str) -> None:
    spoil, reason = SPOILS[case]
    (tmp_path / "other").mkdir()
    start(tmp_path)
    spoil(tmp_path / "identity", mint_into(tmp_path / "other", None))
    again = start(tmp_path)
    assert (again.code, again.stderr) == (0, "")
    assert again.result["minted"]
    (line,) = again.log
    assert (line["level"], line["event"]) == ("warning", "identity_replaced")
    assert reason in line["reason"]
    assert handshake(tmp_path / "identity", "localhost") == "TLSv1.3"
    assert (tmp_path / "clients" / "app" / "ca.crt").read_text() == again.result["ca"]
    assert not start(tmp_path).result["minted"]


@pytest.mark.parametrize("clock", [-600, 600])
def test_a_clock_that_is_off_by_ten_minutes_breaks_nothing(tmp_path: Path, clock: int) -> None:
    start(tmp_path, before=f"import time; now = time.time; time.time = lambda: now() + {clock}")
    assert not start(tmp_path).result["minted"]
    assert handshake(tmp_path / "identity", "localhost") == "TLSv1.3"


def test_a_minting_killed_midway_is_begun_again(tmp_path: Path) -> None:
    """Whatever the moment of the kill: no manifest, no identity."""
    for moment in range(0, 40, 4):
        between = f"import time, signal; time.sleep({moment / 1000}); os.kill(minting.pid, 9)"
        killed = start(tmp_path, between=between)
        if killed.code:
            assert "ended with -9" in killed.stderr
            again = start(tmp_path)
            assert again.code == 0  # minted again, unless the kill came after the last file
        assert handshake(tmp_path / "identity", "localhost") == "TLSv1.3"
        for file in (tmp_path / "identity").iterdir():
            file.unlink()


def test_client_files_that_were_tampered_with_are_put_right(tmp_path: Path) -> None:
    start(tmp_path)
    app = tmp_path / "clients" / "app"
    whole = files_of(app)
    target = tmp_path / "target"
    target.write_bytes(b"untouched")
    (app / "token").unlink()
    (app / "token").symlink_to(target)
    (app / "ca.crt").chmod(0o644)
    (app / "namespace").unlink()
    (app / ".draft-token-0123").write_bytes(b"")
    again = start(tmp_path)
    assert (again.code, again.result["minted"]) == (0, False)
    assert files_of(app) == whole
    assert not (app / "token").is_symlink()
    assert target.read_bytes() == b"untouched"
    assert {mode(file) for file in app.iterdir()} == {0o444}


@pytest.mark.parametrize("variable", ["MCA_IDENTITY_DIR", "MCA_CLIENTS_DIR"])
@pytest.mark.parametrize(
    ("folder", "reason"),
    [("/proc/nowhere/x", "No such file or directory"), ("/dev/null/x", "Not a directory")],
)
def test_a_folder_that_cannot_be_written_is_a_settings_error(
    tmp_path: Path, variable: str, folder: str, reason: str
) -> None:
    failed = start(tmp_path, **{variable: folder})
    assert failed.code == 64
    assert failed.stderr.startswith(f"mca: {variable}: cannot write to {folder}: {reason}; name a ")
    assert failed.stderr.count("\n") == 1


def test_a_child_that_finds_no_room_says_so(tmp_path: Path) -> None:
    before = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    failed = start(tmp_path, before=before, **NO_COVERAGE)
    assert failed.code == 64
    assert "MCA_IDENTITY_DIR: cannot write to" in failed.stderr
    assert "File too large" in failed.stderr


def test_a_child_without_cryptography_says_so(tmp_path: Path) -> None:
    failed = start(tmp_path, before="sys.modules['cryptography'] = None")
    assert failed.code == 64
    assert failed.stderr.startswith("mca: cannot mint an identity: ModuleNotFoundError")
    assert not (tmp_path / "clients").exists()


def test_a_process_limit_says_so(tmp_path: Path) -> None:
    before = (
        "def fork(): raise BlockingIOError(11, 'Resource temporarily unavailable')\nos.fork = fork"
    )
    failed = start(tmp_path, before=before)
    assert failed.code == 64
    assert failed.stderr == (
        "mca: cannot start the minting process: Resource temporarily unavailable\n"
    )


def test_an_identity_that_is_taken_away_meanwhile_is_an_error(tmp_path: Path) -> None:
    between = (
        "os.waitid(os.P_PID, minting.pid, os.WEXITED | os.WNOWAIT);"
        " os.unlink(settings.identity_dir + '/seed')"
    )
    failed = start(tmp_path, between=between)
    assert failed.code == 64
    assert "MCA_IDENTITY_DIR: no identity in" in failed.stderr
    assert "seed is missing or not ours" in failed.stderr


@pytest.fixture
def volume() -> Iterator[Path]:
    """As the kubelet makes an emptyDir: of this process's user, but open to all."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        os.chmod(path, 0o755)
        for name in ("identity", "clients"):
            os.mkdir(os.path.join(path, name))
            os.chmod(os.path.join(path, name), 0o777)
        yield Path(path)


# Everything is imported, by minting once, while Python and the repository are surely readable.
BECOME_NOBODY = """
import resource, sidecar.mint, tempfile
with tempfile.TemporaryDirectory() as path:
    sidecar.mint.mint(os.open(path, os.O_RDONLY))
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(54321)
    os.setuid(54321)
"""


def test_an_empty_volume_of_root_serves_another_user(volume: Path) -> None:
    for minted in (True, False):
        done = start(volume, before=BECOME_NOBODY, **NO_COVERAGE)
        assert (done.code, done.stderr) == (0, "")
        assert done.result["minted"] == minted
    assert {mode(file) for file in (volume / "identity").iterdir()} == {0o600}
    assert {mode(file) for file in (volume / "clients" / "app").iterdir()} == {0o444}


def test_what_another_user_left_there_is_not_believed(volume: Path) -> None:
    """A planted identity whose key is known elsewhere: minted anew, not used."""
    mint_into(volume / "identity", None)
    planted = (volume / "identity" / "ca.crt").read_text()
    if os.geteuid() != 0:
        (volume / "identity" / "tls.key").chmod(0o666)
    done = start(volume, before=BECOME_NOBODY, **NO_COVERAGE)
    assert done.result["minted"]
    assert done.result["ca"] != planted
    assert done.log[0]["event"] == "identity_replaced"


def test_the_key_that_is_served_is_the_one_on_disk(started: tuple[Path, Start]) -> None:
    path, first = started
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(first.result["cert"], first.result["key"])
    assert (path / "identity" / "ca.crt").read_text() == first.result["ca"]
