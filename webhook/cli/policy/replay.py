"""Owns `mca policy replay`: recorded audit lines in, what another snapshot would change out.

Must not keep lines: any number of them is read in the same memory.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from sidecar.policy.requestinfo import SELF_REVIEWS
from sidecar.policy.verdict import Answer, Body, Denial
from webhook.cli import EXIT_INTERRUPTED
from webhook.cli.arguments import Parser, complain, printable, tell
from webhook.cli.policy import EXIT_ERROR, EXIT_FINDINGS
from webhook.cli.policy.audit_lines import NotAudit, Outcome, Record, Unreadable, read_line
from webhook.cli.policy.changes import Changes, find_change
from webhook.cli.policy.judgement import Judge, UndecidedError
from webhook.cli.policy.kinds import KindError, Kinds
from webhook.cli.policy.snapshot_source import SourceError, load_snapshot

_COMMAND = "mca policy replay"
_MAX_LINE_BYTES = 1024 * 1024
_MAX_REASONS = 100
_SHOWN_REASONS = 10
# What the guards let pass was not recorded: bodies that they let pass stand in.
_PLAIN_BODY = Body("application/json", b"{}")
_PATCH_BODY = Body("application/merge-patch+json", b"{}")
_TOKEN_BODY = Body("application/json", b'{"spec":{"audiences":["replayed"]}}')

_USAGE = "mca policy replay [OPTION ...] AUDIT.jsonl --snapshot FILE"
_DESCRIPTION = """\
Decides recorded calls again by another snapshot, and lists what would change: the decision, the
rule, the member, the route. AUDIT.jsonl is what a sidecar writes to standard output, or `mca run
--audit FILE`; lines that are not audit lines are passed over, - is standard input."""
_EPILOG = """\
What an audit line does not hold cannot be decided again: bodies (such changes are marked), and
whether kinds have namespaces that are not built into Kubernetes (told by the form of the call, or
by --kinds). Identity guards hold whatever a snapshot says, so what they denied stays denied.

exit codes: 0 nothing would change, 1 something would, 2 error.

examples:
  mca policy replay calls.jsonl --snapshot next.json
  kubectl logs web-0 -c mca | mca policy replay - --snapshot next.json"""


def main(arguments: list[str]) -> int:
    """Replay the lines; the exit code."""
    parser = Parser(
        prog=_COMMAND,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        exit_code=EXIT_ERROR,
    )
    parser.add_argument("audit", metavar="AUDIT.jsonl", help="recorded lines; - is standard input")
    parser.add_argument("--snapshot", metavar="FILE", required=True, help="what to decide by")
    parser.add_argument(
        "--kinds",
        metavar="PLURAL.GROUP=namespaced|cluster",
        action="append",
        default=[],
        help="whether a kind has namespaces; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each group")
    given = parser.parse_args(arguments)
    try:
        kinds = Kinds(given.kinds)
        snapshot = load_snapshot(given.snapshot)
        # The API server's audiences count for guards alone.
        replay = Replay(Judge(snapshot, frozenset(), kinds))
        with _open(given.audit) as file:
            for line in _read_lines(file):
                replay.take(line)
    except (SourceError, KindError) as error:
        complain(str(error), _COMMAND)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if not replay.calls:
        complain(f"{given.audit}: holds no audit line of version 1", _COMMAND)
        return EXIT_ERROR
    tell(replay.render_json() if given.json else replay.render_text(snapshot.revision))
    return EXIT_FINDINGS if replay.changes.count else 0


class Replay:
    """What was read so far and what came of it."""

    def __init__(self, judge: Judge) -> None:
        self.calls = 0
        self.changes = Changes()
        self._judge = judge
        self._unreadable: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()

    def take(self, line: bytes) -> None:
        """Decide one recorded call again."""
        record = read_line(line) if line else Unreadable(f"longer than {_MAX_LINE_BYTES} bytes")
        if isinstance(record, Unreadable):
            self._unreadable[record.why] += 1
        elif not isinstance(record, NotAudit):
            self.calls += 1
            self._compare(record)

    def _compare(self, record: Record) -> None:
        old = record.outcome
        if old is None:
            self._leave("refused before policy was asked, or without it")
            return
        if old.rule.startswith("guard/"):
            return
        if record.info.resource in SELF_REVIEWS:
            self._leave("questions about the caller's own rights, whose bodies are not recorded")
            return
        try:
            judgement = self._judge.judge(record.caller, record.info, _stand_in(record))
        except UndecidedError as error:
            self._leave(str(error))
            return
        verdict = judgement.verdict
        if isinstance(verdict, Denial):
            new = Outcome(False, verdict.rule)
        elif isinstance(verdict, Answer):
            new = Outcome(True, verdict.rule)
        else:
            new = Outcome(True, verdict.rule, verdict.plan.route, verdict.plan.candidates)
        change = find_change(old, new, sure=not judgement.by_body)
        if change is not None:
            self.changes.add(change, record)

    def _leave(self, why: str) -> None:
        if why in self._untold or len(self._untold) < _MAX_REASONS:
            self._untold[why] += 1
        else:
            self._untold["for other reasons"] += 1

    def render_text(self, revision: str) -> Iterator[str]:
        """A summary, the changes, and what could not be told."""
        yield (
            f"{self.calls} calls replayed by revision {revision}:"
            f" {self.changes.count or 'none'} would change"
        )
        yield from map(printable, self.changes.render_text())
        for title, reasons in (
            ("were not decided again", self._untold),
            ("lines could not be read", self._unreadable),
        ):
            if reasons:
                yield ""
                yield f"{sum(reasons.values()):>8}  {title}:"
                for why, count in reasons.most_common(_SHOWN_REASONS):
                    yield printable(f"{count:>16}  {why}")

    def render_json(self) -> Iterator[str]:
        """A line for each group, then the summary."""
        yield from self.changes.render_json()
        summary = {
            "calls": self.calls,
            "changes": self.changes.count,
            "undecided": dict(self._untold),
            "unreadable": dict(self._unreadable),
        }
        yield json.dumps({"summary": summary})


def _stand_in(record: Record) -> Body:
    if record.info.subresource == "token":
        return _TOKEN_BODY
    return _PATCH_BODY if record.info.verb == "patch" else _PLAIN_BODY


def _open(path: str) -> BinaryIO:
    if path == "-":
        return sys.stdin.buffer
    try:
        return open(path, "rb")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None


def _read_lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines that are not empty; an empty one stands for one that is too long."""
    while line := file.readline(_MAX_LINE_BYTES):
        too_long = not line.endswith(b"\n") and len(line) == _MAX_LINE_BYTES
        if too_long:
            while rest := file.readline(_MAX_LINE_BYTES):
                if rest.endswith(b"\n"):
                    break
            yield b""
        elif line.strip():
            yield line
