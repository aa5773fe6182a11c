"""Faults: little memory, no disk, nobody who reads our log, no rights at all.

Needs root: it makes cgroups, mounts and other users. What it cannot make, it fails at.
"""

import calendar
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.raw_client import RawClient, render_request
from tests.scripted_server import Connection, ScriptedServer
from tests.sidecar_process import ROOT, SidecarProcess

TARGET = "/api/v1/namespaces/team-a/configmaps"
SECRETS = "/api/v1/namespaces/team-a/secrets"
# No base image uses it: not 65532, 65534, 1000, 1001, 10001, 101 ...
UID = 2102
MB = 1 << 20


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


# A cgroup of 64 MiB


class Cgroup:
    """A group of processes with a memory limit, version 2 or 1."""

    def __init__(self, limit: int, *, pids: int | None = None) -> None:
        name = f"mca-test-{os.getpid()}-{time.monotonic_ns()}"
        top = Path("/sys/fs/cgroup")
        if (top / "cgroup.controllers").exists():
            with contextlib.suppress(OSError):  # already on, or we are in the way: the next fails
                (top / "cgroup.subtree_control").write_text("+memory +pids")
            self.folders = [top / name]
            limits = {"memory.max": limit, "memory.swap.max": 0}
        else:
            self.folders = [top / "memory" / name, top / "pids" / name]
            limits = {"memory.limit_in_bytes": limit}
        for folder in self.folders:
            folder.mkdir()
        for file, number in limits.items():
            with contextlib.suppress(FileNotFoundError):  # no swap, nothing to limit
                (self.folders[0] / file).write_text(str(number))
        if pids is not None:
            (self.folders[-1] / "pids.max").write_text(str(pids))

    @property
    def join(self) -> str:
        """What a process does to come in."""
        files = [str(folder / "cgroup.procs") for folder in self.folders]
        return f"for file in {files!r}: open(file, 'w').write(str(os.getpid()))"

    def usage(self) -> int:
        """What the kernel counts."""
        for name in ("memory.current", "memory.usage_in_bytes"):
            if (self.folders[0] / name).exists():
                return int((self.folders[0] / name).read_text())
        raise FileNotFoundError("memory.current")

    def kills(self) -> int:
        """How often the kernel killed something here."""
        for name in ("memory.events", "memory.oom_control"):
            if (self.folders[0] / name).exists():
                for line in (self.folders[0] / name).read_text().splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        raise FileNotFoundError("memory.events")

    def remove(self) -> None:
        """Whoever is still in it goes up."""
        for folder in self.folders:
            for pid in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (folder.parent / "cgroup.procs").write_text(pid)
            for _ in range(100):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.02)


@pytest.fixture
def small_group() -> Iterator[Cgroup]:
    group = Cgroup(64 * MB)
    yield group
    group.remove()


def serve_big(connection: Connection) -> None:
    """32 MB to whoever asks for it."""
    while (request := connection.read_request()) is not None:
        size = 32 * MB if b"big" in request.target else 2
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(max(size // 65536, 1)):
            connection.send(bytes(min(size, 65536)))


def test_64_mib_shed_load_before_the_kernel_kills(
    make_sidecar: Callable[..., SidecarProcess], small_group: Cgroup
) -> None:
    """As many slow readers of big answers as it takes: 503 and Retry-After, never a kill."""
    with ScriptedServer(serve_big) as upstream, contextlib.ExitStack() as stack:
        sidecar = make_sidecar(upstream.cluster(), before=small_group.join)
        assert sidecar.request("GET", TARGET).status == 200
        refused = closed = 0
        request = render_request(sidecar, "GET", "/big")
        for _ in range(700):
            try:
                client = RawClient(sidecar, receive_buffer=4096, timeout_s=5)
                stack.enter_context(client)
                client.send(request)
                answer = client.read_head()
            except (OSError, EOFError):
                closed += 1
            else:
                if answer.status == 503:
                    assert answer.header("Retry-After") == "1"
                    refused += 1
            if refused >= 20:
                break
        assert refused >= 20, f"{refused} refused, {closed} closed, {small_group.usage()} used"
        assert sidecar.events("shedding")
        assert sidecar.exit_code is None
        assert small_group.kills() == 0
        stack.close()
        deadline = time.monotonic() + 15
        while not sidecar.events("shedding_over"):
            assert time.monotonic() < deadline, f"{small_group.usage() / MB:.1f} MB in use"
            time.sleep(0.1)
        assert sidecar.request("GET", TARGET).status == 200


def test_64_mib_hold_the_bodies_that_are_judged(
    make_sidecar: Callable[..., SidecarProcess], small_group: Cgroup, upstream: ScriptedServer
) -> None:
    """30 of 3 MB at once: two find room, each held as it came and unframed; none kills us."""
    sidecar = make_sidecar(upstream.cluster(), before=small_group.join)
    size = 3 * MB - 100
    body = b'{"type":"Opaque","data":"' + b"a" * (size - 27) + b'"}'
    head = render_request(sidecar, "POST", SECRETS, f"Content-Length: {len(body)}")
    statuses: list[int] = []

    def post() -> None:
        with RawClient(sidecar, timeout_s=20) as client:
            with contextlib.suppress(OSError):
                client.send(head)
                for start in range(0, len(body), 200_000):
                    client.send(body[start : start + 200_000])
                    time.sleep(0.01)
            statuses.append(client.read_head().status)

    threads = [threading.Thread(target=post) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 1  # whoever is refused makes room for the others
    assert small_group.kills() == 0
    assert sidecar.request("GET", TARGET).status == 200


def test_64_mib_serve_200_connections(
    make_sidecar: Callable[..., SidecarProcess], small_group: Cgroup, upstream: ScriptedServer
) -> None:
    """What a busy pod has: no shedding at all."""
    sidecar = make_sidecar(upstream.cluster(), before=small_group.join)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(sidecar)) for _ in range(200)]
        for client in clients:
            assert client.ask(render_request(sidecar)).status == 200
        assert not sidecar.events("shedding")
        assert sidecar.metric("mca_memory_ratio") > 0.1, "the limit was not found"


# The pod


def confine(stage: Path, *writable: Path) -> str:
    """A read-only root but for some folders, a user of our own, no capability, none to be had.

    That user must be able to reach Python and our source, which may lie in somebody's home: in
    this mount namespace, a folder that is closed to others is covered by an open one that holds
    nothing else.
    """
    needed = sorted({os.path.realpath(path) for path in (sys.base_prefix, sys.prefix, ROOT)})
    return f"""
for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
    del os.environ[name]  # its data could not be written
libc = ctypes.CDLL(None, use_errno=True)
def mount(source, target, kind=None, flags=0):
    if libc.mount(source.encode(), target.encode(), kind, flags, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)
READ_ONLY, REMOUNT, BIND, REC, PRIVATE, NEW_MOUNTS = 0x1, 0x20, 0x1000, 0x4000, 0x40000, 0x20000
assert libc.unshare(NEW_MOUNTS) == 0
mount("none", "/", None, REC | PRIVATE)
def closed(path):
    parents = [path]
    while parents[-1] != "/":
        parents.append(os.path.dirname(parents[-1]))
    return [folder for folder in reversed(parents) if not os.stat(folder).st_mode & 1]
hidden = [(path, closed(path)[0], "%s/stage-%d" % ({str(stage)!r}, number))
          for number, path in enumerate({needed!r}) if closed(path)]
for path, _, stage in hidden:
    os.mkdir(stage)
    mount(path, stage, None, BIND)
for cover in {{cover for _, cover, _ in hidden}}:
    mount("none", cover, b"tmpfs")
    os.chmod(cover, 0o755)
for path, _, stage in hidden:
    os.makedirs(path)
    mount(stage, path, None, BIND)
for folder in {[str(folder) for folder in writable]!r}:
    mount(folder, folder, None, BIND)
mount("none", "/", None, BIND | REMOUNT | READ_ONLY)
os.chdir({str(ROOT)!r})
for capability in range(64):
    libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
os.setgroups([])
os.setresgid({UID}, {UID}, {UID})
os.setresuid({UID}, {UID}, {UID})
"""


def test_a_pods_rights_are_enough(upstream: ScriptedServer, small_group: Cgroup) -> None:
    """A read-only root, a uid of our own, no capabilities, 64 MiB: everything works."""
    sidecar = SidecarProcess(upstream.cluster(), mint=True)
    volumes = [sidecar.folder / name for name in ("identity", "clients")]
    for volume in volumes:
        volume.mkdir()
        os.chown(volume, UID, UID)
    sidecar.before = f"{small_group.join}\n{confine(sidecar.folder, *volumes)}"
    with sidecar:
        status = Path(f"/proc/{sidecar.pid}/status").read_text()
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert facts["Uid"].split() == [str(UID)] * 4
        assert facts["NoNewPrivs"] == "1"
        assert {int(facts[f"Cap{name}"], 16) for name in ("Eff", "Prm", "Bnd", "Inh")} == {0}
        mounts = Path(f"/proc/{sidecar.pid}/mounts").read_text().splitlines()
        root = [line.split() for line in mounts if line.split()[1] == "/"][-1]
        assert "ro" in root[3].split(",")
        assert sidecar.request("GET", TARGET).status == 200
        assert sidecar.request("POST", SECRETS, {"type": "Opaque"}).status == 200
        assert sidecar.ask_admin("/metrics").status == 200
        for path in volumes[0].iterdir():
            assert path.stat().st_uid == UID
            assert path.stat().st_mode & 0o777 == 0o600
        assert sidecar.stop() == 0
        assert sidecar.stderr() == ""


def test_a_folder_that_cannot_be_written_is_named(upstream: ScriptedServer) -> None:
    sidecar = SidecarProcess(upstream.cluster(), mint=True)
    sidecar.before = confine(sidecar.folder)
    try:
        assert sidecar.spawn().wait(10) == 64
        assert sidecar.stderr().startswith("mca: MCA_IDENTITY_DIR: cannot write to ")
        assert "Read-only file system" in sidecar.stderr()
        assert f"uid {UID}" in sidecar.stderr()
    finally:
        sidecar.remove()


# Disk and log


def test_a_full_disk_at_the_start_is_told(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", disk], check=True)
    try:
        (disk / "identity").mkdir(mode=0o700)
        sidecar = make_sidecar(
            upstream.cluster(), env={"MCA_IDENTITY_DIR": str(disk / "identity")}, spawn=True
        )
        assert sidecar.wait(10) == 64
        assert "MCA_IDENTITY_DIR" in sidecar.stderr()
        assert "No space left on device" in sidecar.stderr()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_under_the_log_stops_nothing(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], check=True)
    try:
        fd = os.open(disk / "stdout", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        sidecar = make_sidecar(upstream.cluster(), stdout=fd)
        with RawClient(sidecar) as client:
            for _ in range(1000):
                assert client.ask(render_request(sidecar)).status == 200
        assert (disk / "stdout").stat().st_size >= 60_000, "the disk was not full"
        assert sidecar.ask_admin("/readyz").status == 200
        assert sidecar.stop() == 0
        os.close(fd)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("kind", ["closed", "closed-pipe", "full-pipe", "/dev/full"])
def test_a_log_that_nobody_takes_stops_nothing(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer, kind: str
) -> None:
    reader, writer = os.pipe()
    if kind == "/dev/full":
        os.close(writer)
        writer = os.open(kind, os.O_WRONLY)
    before = "os.close(1)" if kind == "closed" else ""
    if kind == "closed-pipe":
        os.close(reader)
    sidecar = make_sidecar(upstream.cluster(), stdout=writer, before=before)
    os.close(writer)
    rss = sidecar.rss_bytes()
    with RawClient(sidecar) as client:
        for _ in range(1000):
            assert client.ask(render_request(sidecar)).status == 200
    assert sidecar.rss_bytes() - rss < 6 * MB
    assert sidecar.ask_admin("/readyz").status == 200
    assert sidecar.stop() == 0
    if kind != "closed-pipe":
        os.close(reader)


def test_a_log_that_is_read_late_says_what_is_missing(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """A backlog of 1 MB is kept; what did not fit is counted, and told in the log itself."""
    reader, writer = os.pipe()
    sidecar = make_sidecar(upstream.cluster(), stdout=writer)
    os.close(writer)
    with RawClient(sidecar) as client:
        # Long names make long lines.
        request = render_request(sidecar, "GET", f"{TARGET}/{'a' * 900}")
        for _ in range(1500):
            assert client.ask(request).status == 200
    time.sleep(0.5)
    assert sidecar.metric("mca_log_lines_dropped_total") > 0
    os.set_blocking(reader, False)
    said = b""
    deadline = time.monotonic() + 5
    while b"log_lines_dropped" not in said and time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            said += os.read(reader, 1 << 20)
        with RawClient(sidecar) as client:
            assert client.ask(render_request(sidecar)).status == 200
        time.sleep(0.05)
    assert b"log_lines_dropped" in said
    lines = said.splitlines()[:-1]
    assert all(line.startswith(b"{") and line.endswith(b"}") for line in lines), "a torn line"
    os.close(reader)


# Processes and descriptors


def test_a_pid_limit_after_the_start_stops_nothing(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """Names are looked up in a thread: without one, those calls fail and the others go on."""
    group = Cgroup(256 * MB, pids=3)
    try:
        sidecar = make_sidecar(upstream.cluster(), before=group.join)
        (group.folders[-1] / "pids.max").write_text("1")
        for _ in range(20):
            assert sidecar.request("GET", TARGET).status == 200
        document = sidecar.render_snapshot(upstream.cluster())
        document["clusters"][0]["server"] = f"https://localhost:{upstream.port}"
        sidecar.write_snapshot(document)
        time.sleep(1.3)
        answer = sidecar.request("GET", TARGET)
        assert answer.status in (200, 503)
        assert sidecar.exit_code is None
        (group.folders[-1] / "pids.max").write_text("20")
        assert sidecar.request("GET", TARGET).status == 200
        assert sidecar.stop() == 0
    finally:
        group.remove()


def test_no_process_for_the_identity_is_told(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """The minting child cannot be forked: 64 and a sentence."""
    group = Cgroup(256 * MB, pids=1)
    try:
        sidecar = make_sidecar(upstream.cluster(), before=group.join, spawn=True, mint=True)
        assert sidecar.wait(10) == 64
        assert "cannot start the minting process" in sidecar.stderr()
        assert "Traceback" not in sidecar.stderr()
    finally:
        group.remove()


def test_no_core_and_no_secret_in_proc(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer
) -> None:
    """What other processes of the pod's user could read of ours: no token in the environment or
    the command line."""
    sidecar = make_sidecar(upstream.cluster("a-token-that-opens-the-cluster"))
    for name in ("environ", "cmdline"):
        said = Path(f"/proc/{sidecar.pid}/{name}").read_bytes()
        assert b"a-token-that-opens-the-cluster" not in said
        assert sidecar.token().encode() not in said


# Clocks


def test_deadlines_do_not_follow_the_clock() -> None:
    """A clock set forth or back moves no deadline: all are of the monotonic clock.

    The clock of one process cannot be set here. So this holds the source to it: `time.time` serves
    for what is shown, or compared with certificates and times of files, never for a deadline.
    """
    allowed = {"log.py", "audit.py", "status.py", "identity.py", "mint.py", "gauges.py",
               "snapshot_file.py", "snapshot_watch.py"}  # fmt: skip
    uses = {
        path.name
        for path in (ROOT / "sidecar").glob("*.py")
        if any(word in path.read_text() for word in ("time.time(", "time_ns(", "datetime"))
    }
    assert uses <= allowed


@pytest.mark.parametrize("offset_s", [-600, 600, -90_000])
def test_a_clock_that_is_off_serves_all_the_same(upstream: ScriptedServer, offset_s: int) -> None:
    """Ten minutes either way, and a day and an hour: the CA is backdated by a day.

    The sidecar's time is shifted by a module that Python loads before ours; the client's is right.
    """
    shift = (
        "import time as t, sys\n"
        "if 'sidecar' in sys.orig_argv:\n"
        "    real, real_ns = t.time, t.time_ns\n"
        f"    t.time = lambda: real() + {offset_s}\n"
        f"    t.time_ns = lambda: real_ns() + {offset_s} * 10**9\n"
    )
    sidecar = SidecarProcess(upstream.cluster())
    (sidecar.folder / "sitecustomize.py").write_text(shift)
    sidecar.env["PYTHONPATH"] = str(sidecar.folder)
    with sidecar:
        assert sidecar.request("GET", TARGET).status == 200
        assert sidecar.stop() == 0
        (line,) = sidecar.audit_lines()
        shown = calendar.timegm(time.strptime(line["time"][:19], "%Y-%m-%dT%H:%M:%S"))
        assert abs(shown - time.time() - offset_s) < 60, "the clock was not shifted"


def test_a_resolver_that_does_not_answer_is_not_waited_for(
    make_sidecar: Callable[..., SidecarProcess], upstream: ScriptedServer, tmp_path: Path
) -> None:
    """DNS loss: a 503 within the connect timeout, and the sidecar stays ready."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.0.0.53", 53))
        except OSError as failure:
            raise AssertionError("something answers at 127.0.0.53, where nothing must") from failure
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\n")
        private = (
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "assert libc.unshare(0x20000) == 0\n"
            "assert libc.mount(b'none', b'/', None, 0x44000, None) == 0\n"
            f"assert libc.mount({str(tmp_path / 'resolv.conf').encode()!r},"
            " b'/etc/resolv.conf', None, 0x1000, None) == 0\n"
        )
        cluster = upstream.cluster()
        sidecar = make_sidecar(
            type(cluster)("https://cluster.example", cluster.ca_pem, token="t"),
            before=private,
            env={"MCA_CONNECT_TIMEOUT": "1"},
        )
        started = time.monotonic()
        answer = sidecar.request("GET", TARGET)
        assert answer.status == 503
        assert "does not resolve" in answer.json()["message"]
        assert time.monotonic() - started < 3
        assert silent.recv(512), "nobody was asked"
        assert sidecar.ask_admin("/readyz").status == 200
