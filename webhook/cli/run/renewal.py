"""Owns when an exec plugin is run again: before what it issued expires, and when that is refused.

Must not know what is issued or where it is put. One thread, so one run at a time. A credential
that nobody uses is left to expire: plugins may open a browser, and the first call that is refused
brings the next one.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from webhook.cli.arguments import complain
from webhook.cli.run.child import start_thread
from webhook.cli.run.exec_plugin import Issued, Plugin, PluginError, PluginRun

# Renewed so long before the end, or at four fifths of a shorter life.
_LEAD_S = 60.0
_LEAD_SHARE = 0.2
_IDLE_S = 300.0
_LEAST_PAUSE_S = 1.0
_MOST_PAUSE_S = 60.0
# The wall clock may be set or the machine sleep: it is looked at this often.
_LOOK_S = 10.0
_RUN_S = 120.0
_JOIN_S = 2.0


class Renewal:
    """Keeps one plugin's credential alive."""

    def __init__(
        self,
        plugin: Plugin,
        first: Issued,
        env: Mapping[str, str],
        put: Callable[[Issued], None],
        told_as: str,
    ) -> None:
        self._plugin = plugin
        self._env = env
        self._put = put
        self._told_as = told_as
        self._issued = first
        self._changed = threading.Condition()
        self._run: PluginRun | None = None
        self._ended = False
        self._refused = False
        self._used_at = time.monotonic()
        self._not_before = 0.0
        self._pause_s = _LEAST_PAUSE_S
        self._told = ""
        self._due_at = _choose_due(first)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = start_thread(self._work, "renewal")

    def note_use(self) -> None:
        """A call was made with it."""
        self._used_at = time.monotonic()

    def note_refusal(self) -> None:
        """The cluster does not take it any more."""
        with self._changed:
            self._refused = True
            self._changed.notify()

    def end(self) -> None:
        """No more runs; one under way is killed."""
        with self._changed:
            self._ended = True
            run = self._run
            self._changed.notify()
        if run is not None:
            run.end()
        if self._thread is not None:
            # Longer only if the plugin left somebody behind who keeps its output open.
            self._thread.join(_JOIN_S)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._ended and (pause_s := self._until_next()) > 0:
                    self._changed.wait(pause_s)
                if self._ended:
                    return
                self._refused = False
                self._run = run = PluginRun(self._plugin, self._env)
            self._renew(run)

    def _until_next(self) -> float:
        """Seconds until it may be time for a run; 0: it is."""
        now = time.monotonic()
        blocked_s = self._not_before - now
        idle = now - self._used_at > _IDLE_S
        due_s = _LOOK_S if self._due_at is None or idle else self._due_at - time.time()
        wanted_s = 0.0 if self._refused else due_s
        return min(max(wanted_s, blocked_s, 0.0), _LOOK_S)

    def _renew(self, run: PluginRun) -> None:
        problem = ""
        newer = False
        try:
            issued = run.issue(terminal=False, timeout_s=_RUN_S)
            if (issued.token is None) != (self._issued.token is None):
                problem = f"{self._plugin.command} changed between a token and a certificate"
            else:
                newer = issued != self._issued
                self._put(issued)
                self._issued = issued
                self._due_at = _choose_due(issued)
        except (PluginError, OSError) as error:
            problem = str(error)
        if problem and not self._ended:
            # The same again: whoever waits for a newer one need not wait any longer.
            with suppress(OSError):  # it may be what failed
                self._put(self._issued)
        if self._ended:
            return
        # The same again, or nothing: asked ever less often.
        self._pause_s = _LEAST_PAUSE_S if newer else min(2 * self._pause_s, _MOST_PAUSE_S)
        self._not_before = time.monotonic() + self._pause_s
        if problem and problem != self._told:
            complain(f"{self._told_as}: no newer credential: {problem}")
        self._told = problem


def _choose_due(issued: Issued) -> float | None:
    """When to ask for the next, by the wall clock; None: when this one is refused."""
    if issued.expires_at is None:
        return None
    life_s = issued.expires_at - time.time()
    return issued.expires_at - min(_LEAD_S, _LEAD_SHARE * max(life_s, 0.0))
