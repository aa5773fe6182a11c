"""Owns exec plugins: what a kubeconfig says of one, running it, and reading what it issued.

Must not keep, log or show what a plugin issued. The protocol is client.authentication.k8s.io,
v1 and v1beta1; where its text is silent, this does what client-go does.
"""

import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import FileIO
from typing import Any, Literal

from sidecar.secret import Secret
from webhook.cli.arguments import printable
from webhook.cli.run.child import EXIT_NOT_FOUND, CommandError, find_command, start

Mode = Literal["Never", "IfAvailable", "Always"]

_GROUP = "client.authentication.k8s.io"
_VERSIONS = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
_MODES: Mapping[object, Mode] = {
    "Never": "Never",
    "IfAvailable": "IfAvailable",
    "Always": "Always",
}
_MAX_OUTPUT_BYTES = 1 << 20


class PluginError(Exception):
    """The plugin cannot be used, or issued nothing; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An exec plugin, as the kubeconfig describes it."""

    api_version: str
    command: str
    arguments: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)  # people put secrets there
    install_hint: str
    mode: Mode
    cluster: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Issued:
    """What a plugin gave: a token, or a certificate and its key."""

    token: Secret | None
    cert: Secret | None
    key: Secret | None
    expires_at: float | None  # in seconds since 1970


def parse_plugin(
    raw: object, folder: str, describe_cluster: Callable[[], Mapping[str, Any]]
) -> Plugin:
    """The `exec` of a user; a command with a slash is looked for from the kubeconfig's folder."""
    if not isinstance(raw, dict):
        raise PluginError("must be a mapping")
    version = raw.get("apiVersion")
    if version not in _VERSIONS:
        raise PluginError(f"apiVersion must be {' or '.join(_VERSIONS)}, not {version!r}")
    command = raw.get("command")
    if not isinstance(command, str) or not command:
        raise PluginError("command is not set")
    if "/" in command:
        command = os.path.normpath(os.path.join(folder, command))
    # v1beta1 came before the field.
    mode = raw.get("interactiveMode") or ("IfAvailable" if version.endswith("beta1") else None)
    if mode not in _MODES:
        raise PluginError("interactiveMode must be Never, IfAvailable or Always")
    return Plugin(
        api_version=version,
        command=command,
        arguments=_parse_arguments(raw.get("args")),
        env=_parse_env(raw.get("env")),
        install_hint=str(raw.get("installHint") or ""),
        mode=_MODES[mode],
        cluster=describe_cluster() if raw.get("provideClusterInfo") else None,
    )


def _parse_arguments(raw: object) -> tuple[str, ...]:
    items = raw or []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise PluginError("args must be a list of strings")
    return tuple(items)


def _parse_env(raw: object) -> dict[str, str]:
    items = raw or []
    if not isinstance(items, list):
        raise PluginError("env must be a list")
    env = {}
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
            raise PluginError("env: each must have a name")
        value = item.get("value")
        if value is not None and not isinstance(value, str):
            raise PluginError(f"env: {item['name']}: its value must be a string")
        env[item["name"]] = value or ""
    return env


class PluginRun:
    """One run of a plugin; another thread may end it early."""

    def __init__(self, plugin: Plugin, env: Mapping[str, str]) -> None:
        self._plugin = plugin
        self._env = env
        self._lock = threading.Lock()
        self._pid = 0
        self._own_group = False
        self._ended = False

    def end(self) -> None:
        """Kill it, and what it started unless that is in our own group."""
        with self._lock:
            self._ended = True
            if self._pid:
                (os.killpg if self._own_group else os.kill)(self._pid, signal.SIGKILL)

    def issue(self, *, terminal: bool, timeout_s: float | None) -> Issued:
        """Run it to its end. With `terminal`, it may ask its user questions there."""
        plugin = self._plugin
        interactive = terminal and plugin.mode != "Never" and os.isatty(0)
        if plugin.mode == "Always" and not interactive:
            raise PluginError(
                f"{plugin.command} must ask at a terminal (interactiveMode: Always),"
                " and there is none free for it"
            )
        output = self._run(
            self._find(), interactive, foreground=terminal, timeout_s=timeout_s or float("inf")
        )
        return parse_issued(plugin, output)

    def _find(self) -> str:
        plugin = self._plugin
        try:
            return find_command(plugin.command, self._env.get("PATH", os.defpath))
        except CommandError as error:
            if error.code != EXIT_NOT_FOUND:
                raise PluginError(str(error)) from None
            hint = f"\n{_clean(plugin.install_hint)}" if plugin.install_hint else ""
            raise PluginError(f"{plugin.command} is not installed{hint}") from None

    def _run(self, path: str, interactive: bool, *, foreground: bool, timeout_s: float) -> bytes:
        plugin = self._plugin
        told = {"KUBERNETES_EXEC_INFO": describe(plugin, interactive)}
        nothing = os.open(os.devnull, os.O_RDONLY)
        output, its_output = os.pipe()
        try:
            with self._lock:
                if self._ended:
                    raise PluginError(f"{plugin.command} was not run")
                self._pid = pid = start(
                    path,
                    [plugin.command, *plugin.arguments],
                    {**self._env, **plugin.env, **told},
                    stdin=0 if interactive else nothing,
                    stdout=its_output,
                    # Beside a command that runs, what its user types must not end the plugin.
                    own_group=not foreground,
                )
                self._own_group = not foreground
        except CommandError as error:
            os.close(output)
            raise PluginError(str(error)) from None
        finally:
            os.close(nothing)
            os.close(its_output)
        try:
            with open(output, "rb", buffering=0) as pipe:
                content = _read_all(pipe, time.monotonic() + timeout_s)
            code = self._reap(pid)
        except TimeoutError:
            self.end()
            self._reap(pid)
            raise PluginError(f"{plugin.command} did not end within {timeout_s:g} s") from None
        except BaseException:
            self.end()
            self._reap(pid)
            raise
        if code:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            raise PluginError(f"{plugin.command} ended {how}")
        if content is None:
            raise PluginError(f"{plugin.command} printed more than {_MAX_OUTPUT_BYTES} bytes")
        return content

    def _reap(self, pid: int) -> int:
        # Only when nobody can kill it any more may its number go to another process.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._pid = 0
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _read_all(pipe: FileIO, deadline: float) -> bytes | None:
    """What comes until its end; None when that is too much."""
    content = b""
    while True:
        left_s = min(deadline - time.monotonic(), 3600.0)
        if left_s <= 0:
            raise TimeoutError
        if not select.select([pipe], [], [], left_s)[0]:
            continue
        piece = pipe.read(65536)
        if not piece:
            return content if len(content) <= _MAX_OUTPUT_BYTES else None
        content = (content + piece)[: _MAX_OUTPUT_BYTES + 1]


def describe(plugin: Plugin, interactive: bool) -> str:
    """KUBERNETES_EXEC_INFO."""
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    return json.dumps({"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec})


def parse_issued(plugin: Plugin, output: bytes) -> Issued:
    """What the plugin printed. No text of an error quotes it."""
    what = f"{plugin.command} printed"
    try:
        raw = json.loads(output)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict) or raw.get("kind") != "ExecCredential":
        raise PluginError(f"{what} no ExecCredential in JSON")
    if raw.get("apiVersion") != plugin.api_version:
        raise PluginError(f"{what} another apiVersion than {plugin.api_version}")
    status = raw.get("status")
    if not isinstance(status, dict):
        raise PluginError(f"{what} an ExecCredential without a status")
    token, cert, key = (
        _text(status, name, what) for name in ("token", "clientCertificateData", "clientKeyData")
    )
    if (cert is None) != (key is None):
        raise PluginError(f"{what} only one of clientCertificateData and clientKeyData")
    if (token is None) == (cert is None):
        problem = "neither a token nor" if token is None else "both a token and"
        raise PluginError(f"{what} {problem} a certificate: it must be one of them")
    return Issued(token, cert, key, _parse_time(status.get("expirationTimestamp"), what))


def _text(status: Mapping[str, Any], name: str, what: str) -> Secret | None:
    value = status.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise PluginError(f"{what} a {name} that is no string")
    return Secret(value.encode())


def _parse_time(value: object, what: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise PluginError(f"{what} an expirationTimestamp that is no time") from None
    if moment.tzinfo is None:
        raise PluginError(f"{what} an expirationTimestamp without a time zone")
    return moment.timestamp()


def _clean(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines())
