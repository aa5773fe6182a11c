"""Owns the place where the demo's applications run: as like a pod's container as this machine
allows.

Must not hold a credential. Where mounts can be made, the folder that the sidecar wrote is at
/var/run/secrets/kubernetes.io/serviceaccount, for the application alone; else a kubeconfig leads
to it.
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence

from webhook.cli.run.environment import CONTAINER, render_kubeconfig
from webhook.cli.run.folder import RunFolder

ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
# $0 the folder to show, $1 where /var/run is really: an empty one is laid over it.
_MOUNT = """
set -e
run=$1; shift
mount -t tmpfs tmpfs "$run"
mkdir -p "$run/secrets/kubernetes.io/serviceaccount"
mount --bind "$0" "$run/secrets/kubernetes.io/serviceaccount"
exec "$@"
"""
_AS_ROOT = ("unshare", "--mount", "--propagation", "private", "--")
_AS_USER = ("unshare", "--user", "--map-root-user", "--mount", "--propagation", "private", "--")


class Pod:
    """Runs commands with the environment of an application's container."""

    def __init__(self, folder: RunFolder, namespace: str, host: str, port: int) -> None:
        self.shown = os.path.join(folder.path, "clients", CONTAINER)
        self.env: dict[str, str] = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.path.join(folder.path, "home"),
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": str(port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
        }
        os.mkdir(self.env["HOME"], 0o700)
        self._prefix: tuple[str, ...] = ()
        self.why_not = self._try_mounts()
        if self.why_not:
            kubeconfig = render_kubeconfig(folder.path, "in-cluster", namespace, host, port)
            self.env["KUBECONFIG"] = folder.write("kubeconfig", kubeconfig)

    def command(self, *words: str) -> Sequence[str]:
        """What to run for these words."""
        return [*self._prefix, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run to the end; what was printed is kept."""
        return _run(self.command(*words), self.env)

    def follow(self, *words: str, on_line: Callable[[str], None]) -> int:
        """Run and hear each line as it is printed; the exit code."""
        process = subprocess.Popen(  # noqa: S603 - the demo's own commands
            self.command(*words),
            env=self.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            for line in process.stdout or ():
                on_line(line.rstrip("\n"))
            return process.wait()
        finally:
            process.kill()
            process.wait()

    def _try_mounts(self) -> str:
        """Find a way to mount; the reason if there is none."""
        why = ""
        run = os.path.realpath("/var/run")
        for unshare in (_AS_ROOT, _AS_USER):
            prefix = (*unshare, "/bin/sh", "-c", _MOUNT, self.shown, run)
            try:
                done = _run([*prefix, "test", "-r", f"{ACCOUNT_FOLDER}/token"], self.env)
            except OSError as error:
                return f"unshare: {error.strerror}"
            if done.returncode == 0:
                self._prefix = prefix
                return ""
            why = why or done.stderr.strip() or f"exit code {done.returncode}"
        return why


def _run(words: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the demo's own commands
        words, env=env, text=True, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
