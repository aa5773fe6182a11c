"""A person's machine, as far as `mca run` sees it: a home, kubeconfigs, plugins, a runtime folder.

Owns the files of one test and the processes that it starts. Must not know what is tested.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.controlplane import ControlPlane, find_binary

MCA = str(Path(sys.executable).parent / "mca")
Raw = dict[str, Any]
TIMEOUT_S = 60.0
# Prints an ExecCredential that the test left for it, and counts how often it was asked.
PLUGIN = """#!/bin/sh
here=$(dirname "$0")
echo "$KUBERNETES_EXEC_INFO" >>"$here/asked"
count=$(wc -l <"$here/asked")
if [ -e "$here/answer-$count" ]; then cat "$here/answer-$count"; else cat "$here/answer"; fi
"""


class Home:
    """One person's files; kubeconfigs may name files relative to `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runtime = path / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.env = {
            "HOME": str(path),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "PATH": f"{find_binary('kubectl').parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(path / "config"),
            **{name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")},
        }

    def write_kubeconfig(self, document: Mapping[str, Any], name: str = "config") -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document))
        return file

    def write_plugin(self, *answers: Mapping[str, Any] | str, name: str = "plugin") -> Path:
        """A plugin that gives these answers one after the other, and the last for ever."""
        folder = self.path / name
        folder.mkdir()
        for number, answer in enumerate(answers, 1):
            text = answer if isinstance(answer, str) else json.dumps(answer)
            (folder / f"answer-{number}").write_text(text)
            (folder / "answer").write_text(text)
        plugin = folder / "issue"
        plugin.write_text(PLUGIN)
        plugin.chmod(0o755)
        return plugin

    def start(
        self, *arguments: str, env: Mapping[str, str | None] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start `mca` and wait for nothing."""
        told = {**self.env, **(env or {})}
        return subprocess.Popen(
            [MCA, *arguments],
            env={name: text for name, text in told.items() if text is not None},
            cwd=self.path,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def mca(
        self, *arguments: str, env: Mapping[str, str | None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `mca` to its end, which must come with nothing left behind."""
        process = self.start(*arguments, env=env)
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        assert self.left_behind() == []
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def left_behind(self, shell: int = 0) -> list[str]:
        """Folders of runs, and processes that have to do with them, beside the shell."""
        folders = [str(path) for path in self.runtime.iterdir()]
        pids = [pid for pid in find_processes(str(self.runtime)) if pid != shell]
        return folders + [f"pid {pid}" for pid in pids]


def find_processes(text: str) -> list[int]:
    """Processes that have this in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if text.encode() in (entry / "environ").read_bytes() and state != "Z":
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def kubeconfig(
    plane: ControlPlane | None,
    user: Mapping[str, Any],
    *,
    name: str = "one",
    namespace: str | None = None,
    cluster: Mapping[str, Any] | None = None,
) -> Raw:
    """One context called like its cluster and its user."""
    known: Raw = {"server": "https://127.0.0.1:1"}
    if plane is not None:
        data = base64.b64encode(plane.ca_pem.encode()).decode()
        known = {"server": plane.url, "certificate-authority-data": data}
    known |= cluster or {}
    context = {"cluster": name, "user": name}
    if namespace is not None:
        context["namespace"] = namespace
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": known}],
        "users": [{"name": name, "user": dict(user)}],
        "contexts": [{"name": name, "context": context}],
    }


def merged(*documents: Raw) -> Raw:
    """Several as one file; the first says which context is current."""
    whole = dict(documents[0])
    for key in ("clusters", "users", "contexts"):
        whole[key] = [item for document in documents for item in document[key]]
    return whole


def exec_user(plugin: Path | str, *arguments: str, version: str = "v1", **more: Any) -> Raw:
    """A user by exec plugin."""
    stanza: Raw = {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "command": str(plugin),
        "args": list(arguments),
        "interactiveMode": "Never",
    }
    return {"exec": stanza | more}


def credential(version: str = "v1", *, lasts_s: float | None = None, **status: Any) -> Raw:
    """What a plugin prints."""
    if lasts_s is not None:
        moment = time.gmtime(time.time() + lasts_s)
        status["expirationTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
    return {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "kind": "ExecCredential",
        "status": status,
    }


def wait_until(holds: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not in {timeout_s:.0f} s: {what}"
        time.sleep(0.02)


def python(code: str, *arguments: str) -> Sequence[str]:
    """A command that runs this code."""
    return (sys.executable, "-I", "-S", "-c", code, *arguments)


def kill_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """As a supervisor does that started the process in a group of its own."""
    os.killpg(process.pid, number)
