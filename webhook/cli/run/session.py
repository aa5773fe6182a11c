"""Owns one run from the kubeconfig to the last trace of it.

Must not leave anything behind: every part is ended by the same stack, in reverse order, whatever
happened, and no signal cuts that short.
"""

import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from sidecar.log import claim_descriptors
from sidecar.policy.snapshot import HOME
from webhook.cli import EXIT_INTERRUPTED, EXIT_USAGE
from webhook.cli.arguments import complain
from webhook.cli.run import environment
from webhook.cli.run.child import CommandError, find_command, start
from webhook.cli.run.contexts import Context, read_context
from webhook.cli.run.exec_plugin import Issued, Plugin, PluginError, PluginRun
from webhook.cli.run.folder import SHOWN, RunFolder
from webhook.cli.run.foreground import signals_held, wait_for
from webhook.cli.run.kubeconfig import Kubeconfig, KubeconfigError, load_kubeconfig
from webhook.cli.run.members import MemberError, Members
from webhook.cli.run.renewal import Renewal
from webhook.cli.run.report import Event, Report
from webhook.cli.run.sidecar_child import HOST, SidecarChild, SidecarError

_SIGNAL_BASE = 128
# How long a refused call waits for the plugin: longer than most take, shorter than patience.
_REFRESH_WAIT_S = 15.0
_OF_HOME = b'"member":"home"'


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    command: list[str]
    context: str | None
    kubeconfig: str | None
    audit: str | None
    verbose: bool


class RefusalError(Exception):
    """The run cannot be had as it was asked for."""


def run(options: Options) -> int:
    """Run the command; the exit code."""
    claim_descriptors()
    # Whoever started us may ignore it, and then no child could be waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` wants it
            signal.signal(number, _leave)
    stack = ExitStack()
    try:
        return _Session(options, stack).run()
    except (CommandError, SidecarError) as error:
        complain(str(error))
        return error.code
    except (RefusalError, KubeconfigError, MemberError, PluginError) as error:
        complain(str(error))
        return EXIT_USAGE
    except OSError as error:
        complain(f"{error.filename or 'mca run'}: {error.strerror or error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    finally:
        with signals_held():
            stack.close()


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(_SIGNAL_BASE + number)


class _Session:
    """The parts of one run, in the order in which they come up."""

    def __init__(self, options: Options, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._env: Mapping[str, str] = dict(os.environ)
        self._renewal: Renewal | None = None
        self._names: Mapping[str, str] = {}
        self._unissued: set[str] = set()
        self._told: set[str] = set()

    def run(self) -> int:
        """Bring everything up, run the command, take everything down; the exit code."""
        options, env, stack = self._options, self._env, self._stack
        path = find_command(options.command[0], env.get("PATH", os.defpath))
        kubeconfig = load_kubeconfig(env, options.kubeconfig)
        home = _choose_home(kubeconfig, options.context, env)
        report = Report(options.audit)
        stack.callback(report.close)
        issued = None
        if isinstance(home.login, Plugin):
            issued = self._issue_first(home, home.login)
        folder = RunFolder(env)
        stack.callback(folder.remove)
        shown = RunFolder(env, SHOWN)
        stack.callback(shown.remove)
        self._add_members(Members(folder, home, issued), kubeconfig, issued)
        report.listeners.append(self._hear)
        sidecar = SidecarChild(report)
        stack.callback(sidecar.stop)
        if self._renewal is not None:
            stack.callback(self._renewal.end)
            report.on_call = self._note_call
        self._start_sidecar(sidecar, folder, shown, home)
        kubeconfig_path = shown.write(
            "kubeconfig",
            environment.render_kubeconfig(
                shown.path, home.name, home.namespace, HOST, sidecar.port
            ),
        )
        command_env = environment.command_env(env, kubeconfig_path, HOST, sidecar.port)
        with signals_held() as waited:
            if self._renewal is not None:
                self._renewal.start()
            pid = start(path, options.command, command_env, own_group=False)
            code = wait_for(pid, waited)
            stack.close()
        return code

    def _issue_first(self, home: Context, plugin: Plugin) -> Issued:
        run = PluginRun(plugin, self._env)
        try:
            return run.issue(terminal=True, timeout_s=None)
        except PluginError as error:
            raise PluginError(f"context {home.name!r}: {error}") from None

    def _add_members(self, members: Members, kubeconfig: Kubeconfig, issued: Issued | None) -> None:
        home = members.home
        if issued is not None and isinstance(home.login, Plugin):
            self._renewal = Renewal(
                home.login,
                issued,
                self._env,
                lambda newer: members.renew(HOME, newer),
                f"context {home.name!r}",
            )
        others = []
        left_out = {}
        for name in kubeconfig.contexts:
            if name != home.name:
                context = read_context(kubeconfig, name, self._env)
                if isinstance(context, Context):
                    others.append(context)
                else:
                    left_out[name] = "; ".join(context)
        members.add(others)
        members.write()
        self._names = members.names
        self._unissued = members.unissued
        if self._options.verbose:
            for member, name in members.names.items():
                complain(f"context {name!r} is cluster {member}")
            for name, why in (left_out | members.left_out).items():
                complain(f"context {name!r} is left out: {why}")

    def _start_sidecar(
        self, sidecar: SidecarChild, folder: RunFolder, shown: RunFolder, home: Context
    ) -> None:
        wait_s = _REFRESH_WAIT_S if self._renewal is not None else 0.0
        env = environment.sidecar_env(
            self._env, folder.path, shown.path, home.namespace, refresh_wait_s=wait_s
        )
        try:
            sidecar.start(env)
        except SidecarError as error:
            text = f"context {home.name!r}: {error}" if str(error) else ""
            raise SidecarError(text, error.code) from None

    def _note_call(self, line: bytes) -> None:
        if self._renewal is not None and _OF_HOME in line:
            self._renewal.note_use()

    def _hear(self, event: Event) -> bool:
        """Deal with what the sidecar says of credentials; True: it need not be told."""
        cluster = event.get("cluster")
        if event.get("event") == "credential_unusable" and cluster in self._unissued:
            return True
        if event.get("event") != "credential_refused":
            return False
        if cluster == HOME and self._renewal is not None:
            self._renewal.note_refusal()
        elif cluster not in self._told:
            self._told.add(str(cluster))
            complain(
                f"context {self._names.get(str(cluster))!r}:"
                " the cluster does not accept the credential (401)"
            )
        return True


def _choose_home(kubeconfig: Kubeconfig, asked: str | None, env: Mapping[str, str]) -> Context:
    name = kubeconfig.current_context if asked is None else asked
    known = ", ".join(kubeconfig.contexts) or "none"
    if not name:
        raise RefusalError(f"no current-context is set: choose one by --context; known: {known}")
    if name not in kubeconfig.contexts:
        raise RefusalError(f"context {name!r} is not in the kubeconfig; known: {known}")
    context = read_context(kubeconfig, name, env)
    if isinstance(context, tuple):
        raise RefusalError("\n".join(context))
    return context
