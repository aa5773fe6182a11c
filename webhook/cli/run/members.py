"""Owns what the sidecar of a run is told: the snapshot, and the files that it names.

Must not run a plugin. The chosen context is the cluster `home`; the others are members under
names of their own, and none of them can keep the run from starting.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from sidecar.policy.snapshot import API_VERSION, HOME, KIND, VERSION, Snapshot, parse_snapshot
from sidecar.secret import Secret
from webhook.cli.run.contexts import CertLogin, Context, Inline, Source, TokenLogin
from webhook.cli.run.exec_plugin import Issued, Plugin
from webhook.cli.run.folder import RunFolder

MAX_CLUSTERS = 256
_MAX_NAME = 63


class MemberError(Exception):
    """The chosen context cannot be served; the text says why."""


class Members:
    """The clusters of one run, in its folder."""

    def __init__(self, folder: RunFolder, home: Context, issued: Issued | None) -> None:
        self._folder = folder
        self.home = home
        self._entries = [self._place(HOME, home, issued)]
        if problems := self._check(self._entries[0]):
            raise MemberError(f"context {home.name!r}: {'; '.join(problems)}")
        self.names = {HOME: home.name}
        self.left_out: dict[str, str] = {}
        self.unissued: set[str] = set()

    def add(self, others: Iterable[Context]) -> None:
        """Make members of them, as far as they can be told to the sidecar."""
        for context in others:
            name = choose_name(context.name, self.names)
            entry = self._place(name, context, None)
            problems = self._check(entry)
            if len(self._entries) >= MAX_CLUSTERS:
                problems = (f"a run has at most {MAX_CLUSTERS} clusters",)
            if problems:
                self.left_out[context.name] = "; ".join(problems)
            else:
                self._entries.append(entry)
                self.names[name] = context.name
                if isinstance(context.login, Plugin):
                    self.unissued.add(name)

    def write(self) -> str:
        """Write the snapshot; its path."""
        return self._folder.write("snapshot.json", self._render(self._entries))

    def renew(self, cluster: str, issued: Issued) -> None:
        """Put what a plugin issued where the sidecar looks for it."""
        self._place_issued(cluster, issued)

    def _render(self, entries: list[dict[str, Any]]) -> bytes:
        document = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "version": VERSION,
            "revision": "mca-run",
            "namespace": self.home.namespace,
            "tenant": None,
            "clusters": entries,
            "routes": [],
        }
        return json.dumps(document, indent=1).encode()

    def _check(self, entry: dict[str, Any]) -> tuple[str, ...]:
        """What the sidecar would say about this one cluster: it takes a snapshot whole or not."""
        parsed = parse_snapshot(self._render([{**entry, "name": HOME}]))
        return () if isinstance(parsed, Snapshot) else parsed

    def _place(self, name: str, context: Context, issued: Issued | None) -> dict[str, Any]:
        login = context.login
        if isinstance(login, TokenLogin):
            credentials = {"tokenFile": self._file(name, "token", login.token)}
        elif isinstance(login, CertLogin):
            credentials = {
                "certFile": self._file(name, "tls.crt", login.cert),
                "keyFile": self._file(name, "tls.key", login.key),
            }
        elif issued is not None:
            credentials = self._place_issued(name, issued)
        else:
            # No call reaches this cluster yet, so its plugin is not run: most issue tokens.
            credentials = {"tokenFile": self._path(name, "token")}
        return {
            "name": name,
            "server": context.server,
            "caBundle": {"caFile": self._file(name, "ca.crt", context.ca)},
            "tlsServerName": context.tls_server_name,
            "credentials": credentials,
        }

    def _place_issued(self, name: str, issued: Issued) -> dict[str, str]:
        if issued.token is not None:
            return {"tokenFile": self._write(name, "token", issued.token)}
        cert, key = issued.cert or Secret(b""), issued.key or Secret(b"")
        # The sidecar takes a pair only when it fits, so the order does not matter.
        return {
            "certFile": self._write(name, "tls.crt", cert),
            "keyFile": self._write(name, "tls.key", key),
        }

    def _file(self, name: str, file: str, source: Source) -> str:
        return (
            self._write(name, file, source.content) if isinstance(source, Inline) else source.path
        )

    def _write(self, name: str, file: str, content: Secret) -> str:
        return self._folder.write(f"members/{name}/{file}", content.reveal())

    def _path(self, name: str, file: str) -> str:
        return f"{self._folder.path}/members/{name}/{file}"


def choose_name(context: str, taken: Iterable[str]) -> str:
    """A DNS label that reminds of the context, and that no other has; never `home`."""
    taken = {HOME, *taken}
    plain = re.sub(r"[^a-z0-9]+", "-", context.lower())[:_MAX_NAME].strip("-") or "context"
    name, number = plain, 1
    while name in taken:
        number += 1
        suffix = f"-{number}"
        name = plain[: _MAX_NAME - len(suffix)].rstrip("-") + suffix
    return name
