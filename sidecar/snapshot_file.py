"""Owns where the snapshot comes from: the file that MCA_SNAPSHOT names, or the home cluster.

Must not judge what a snapshot says: sidecar.policy does. A bad one never replaces a good one.
"""

import json
import os
import time

from sidecar.config import Settings
from sidecar.log import log_event
from sidecar.policy.snapshot import (
    API_VERSION,
    HOME,
    KIND,
    MAX_SNAPSHOT_BYTES,
    VERSION,
    Snapshot,
    parse_snapshot,
)
from sidecar.watched_file import WatchedFile

Loaded = Snapshot | tuple[str, ...]


class SnapshotFile:
    """The current snapshot, None as long as there was no good one; `errors` tell why."""

    def __init__(self, settings: Settings) -> None:
        self.snapshot: Snapshot | None = None
        self.errors: tuple[str, ...] = ()
        self.loaded_at = 0.0
        self._settings = settings
        self._told: tuple[str, ...] = ()
        self._file: WatchedFile | None = None
        if settings.snapshot_path is None:
            self._begin(_home_snapshot(settings))
            return
        self._file = WatchedFile(settings.snapshot_path, MAX_SNAPSHOT_BYTES)
        content = self.poll()
        if content is not None:
            self._begin(self.parse(content))

    def _begin(self, loaded: Loaded) -> None:
        snapshot = self.judge(loaded)
        if snapshot is not None:
            self.take(snapshot)

    def poll(self, now: float | None = None) -> bytes | None:
        """Look at the file; its content if that is new. Cheap: a stat."""
        if self._file is None or not self._file.poll(time.monotonic() if now is None else now):
            return None
        if self._file.content is None:
            self.judge((f"MCA_SNAPSHOT: {self._file.problem}",))
        return self._file.content

    def parse(self, content: bytes) -> Loaded:
        """What the content says, or all that is wrong with it. Touches nothing."""
        return _parse(content, self._settings)

    def judge(self, loaded: Loaded) -> Snapshot | None:
        """The snapshot if it is a good one, and not the one in use; what is wrong is told."""
        if not isinstance(loaded, Snapshot):
            self.errors = loaded
            self._tell()
            return None
        self.errors = self._told = ()
        return None if loaded == self.snapshot else loaded

    def take(self, snapshot: Snapshot) -> None:
        """It is the one in use from now on."""
        self.snapshot = snapshot
        self.loaded_at = time.time()
        log_event("info", "snapshot_loaded", revision=snapshot.revision)

    def _tell(self) -> None:
        if self.errors != self._told:
            self._told = self.errors
            kept = self.snapshot.revision if self.snapshot else None
            log_event("error", "snapshot_refused", errors=self.errors, kept=kept)


def own_namespace(settings: Settings, snapshot: Snapshot | None) -> str:
    """Where the pod runs, by the first that says so."""
    return (
        settings.namespace
        or (snapshot.namespace if snapshot else "")
        or _read_namespace(settings)
        or "default"
    )


def _parse(content: bytes, settings: Settings) -> Loaded:
    parsed = parse_snapshot(content)
    if not isinstance(parsed, Snapshot):
        return tuple(f"MCA_SNAPSHOT: {settings.snapshot_path}: {error}" for error in parsed)
    if settings.namespace and parsed.namespace != settings.namespace:
        return (
            f"MCA_SNAPSHOT: {settings.snapshot_path}: namespace: {parsed.namespace!r} is not"
            f" MCA_NAMESPACE {settings.namespace!r}; a pod uses its own namespace's snapshot",
        )
    return parsed


def _home_snapshot(settings: Settings) -> Loaded:
    folder = settings.service_account_dir
    errors = [
        f"{variable}: is not set; run in a pod, or name a snapshot file by MCA_SNAPSHOT"
        for variable, value in (
            ("KUBERNETES_SERVICE_HOST", settings.service_host),
            ("KUBERNETES_SERVICE_PORT", settings.service_port),
        )
        if not value
    ]
    errors += [
        f"MCA_SERVICE_ACCOUNT_DIR: {folder}/{name} cannot be read;"
        " mount the service account's token, or name a snapshot file by MCA_SNAPSHOT"
        for name in ("ca.crt", "token")
        if not os.access(os.path.join(folder, name), os.R_OK)
    ]
    if errors:
        return tuple(errors)
    host, port = settings.service_host, settings.service_port
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "version": VERSION,
        "revision": HOME,
        "namespace": own_namespace(settings, None),
        "tenant": None,
        "clusters": [
            {
                "name": HOME,
                "server": f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
                "caBundle": {"caFile": os.path.join(folder, "ca.crt")},
                "tlsServerName": None,
                "credentials": {"tokenFile": os.path.join(folder, "token")},
            }
        ],
        "routes": [],
    }
    parsed = parse_snapshot(json.dumps(document).encode())
    if not isinstance(parsed, Snapshot):
        return tuple(f"{_variable(error)}: {error}" for error in parsed)
    return parsed


def _variable(error: str) -> str:
    """Where to mend what the home cluster's snapshot was refused for."""
    return "MCA_NAMESPACE" if error.startswith("namespace") else "KUBERNETES_SERVICE_HOST, _PORT"


def _read_namespace(settings: Settings) -> str:
    file = WatchedFile(os.path.join(settings.service_account_dir, "namespace"), 253)
    file.poll(0.0)
    return (file.content or b"").decode("utf-8", "replace").strip()
