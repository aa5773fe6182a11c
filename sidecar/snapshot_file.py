"""Owns where the snapshot comes from: the file that MCA_SNAPSHOT names, its watch, or the home
cluster.

Must not judge what a snapshot says: sidecar.policy does. A bad one never replaces a good one.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from sidecar.config import Settings
    from sidecar.policy.snapshot import Cluster
    from sidecar.precedence import Precedence

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
        self.precedence: Precedence | None = None  # where the snapshot is watched, too
        self._caught_up = True  # the file was looked at since it counts again
        self.home: Cluster | None = None  # the pod's own, where it is pinned
        self.hopeless = False  # no file can mend the errors: the environment must be another
        if settings.snapshot_path is None:
            self._begin(_home_snapshot(settings))
            self.hopeless = bool(self.errors)
            return
        if settings.members is not None:
            own = _home_snapshot(settings)
            if not isinstance(own, Snapshot):
                self.errors, self.hopeless = own, True
                return
            self.home = own.clusters[0]
        if settings.snapshot_watch:
            from sidecar.precedence import Precedence

            self.precedence = Precedence()
        self._file = WatchedFile(settings.snapshot_path, MAX_SNAPSHOT_BYTES)
        content = self.poll()
        if content is not None:
            self._begin(self.parse(content))

    def _begin(self, loaded: Loaded) -> None:
        snapshot = self.judge(loaded)
        if snapshot is not None:
            self.take(snapshot)

    def poll(self, now: float | None = None) -> bytes | None:
        """Look at the file; its content if that is new and counts. Cheap: a stat."""
        now = time.monotonic() if now is None else now
        if self._file is None or not self._counts(self._file.path, now) or not self._file.poll(now):
            return None
        if self._file.content is None:
            self._miss(f"MCA_SNAPSHOT: {self._file.problem}")
        elif self.precedence is not None and not self.precedence.is_news(self._file.written_ns):
            return None
        return self._file.content

    def _miss(self, error: str) -> None:
        if self.precedence is not None and self.snapshot is None:
            self.errors = (error,)  # usual in a new namespace: its watch will bring it
            log_event("info", "snapshot_awaited", reason=error)
        else:
            self.judge((error,))

    def _counts(self, path: str, now: float) -> bool:
        counts = self.precedence is None or self.precedence.file_counts(now)
        if counts and not self._caught_up:
            # What it held before may be what it holds again: it is new beside the watch's.
            self._file = WatchedFile(path, MAX_SNAPSHOT_BYTES)
        self._caught_up = counts
        return counts

    def parse(self, content: bytes, origin: str = "") -> Loaded:
        """What the content says, or all that is wrong with it. Touches nothing.

        `origin` says where it is from; the file, if nothing does.
        """
        settings = self._settings
        loaded = _parse(content, settings, origin or f"MCA_SNAPSHOT: {settings.snapshot_path}")
        if self.home is None or not isinstance(loaded, Snapshot):
            return loaded
        from sidecar.pinning import pin

        return pin(
            loaded, self.home, dict(settings.members or ()), settings.broker, settings.members_dir
        )

    def judge(self, loaded: Loaded) -> Snapshot | None:
        """The snapshot if it is a good one, and not the one in use; what is wrong is told."""
        if not isinstance(loaded, Snapshot):
            self.errors = loaded
            self._tell()
            return None
        self.errors = self._told = ()
        return None if loaded == self.snapshot else loaded

    def refuse(self, error: str) -> None:
        """What came cannot be used; the last good one stays."""
        self.judge((error,))

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


def _parse(content: bytes, settings: Settings, origin: str) -> Loaded:
    parsed = parse_snapshot(content)
    if not isinstance(parsed, Snapshot):
        return tuple(f"{origin}: {error}" for error in parsed)
    if settings.namespace and parsed.namespace != settings.namespace:
        return (
            f"{origin}: namespace: {parsed.namespace!r} is not"
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
