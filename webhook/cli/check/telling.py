"""Owns how findings are shown: lines for a reader, one JSON object for a program.

Must not judge them, but for the exit code, which says the worst of them.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from webhook.cli.check.finding import Finding, Status
from webhook.enforcement.report import Enforcement

EXIT_FINDINGS: Final = 1
EXIT_UNDECIDED: Final = 2
_WIDTH: Final = 7


def choose_exit_code(findings: Sequence[Finding]) -> int:
    """What fails counts more than what nobody knows; a warning changes nothing."""
    found = {finding.status for finding in findings}
    if Status.FAIL in found:
        return EXIT_FINDINGS
    return EXIT_UNDECIDED if Status.UNKNOWN in found else 0


def render_text(findings: Sequence[Finding]) -> Iterator[str]:
    """Plain ASCII: status first, so that `grep -v ' ok '` leaves what matters."""
    for group, members in groupby(findings, key=lambda finding: finding.group):
        yield group
        for finding in members:
            yield f"  {finding.status.value:<{_WIDTH}} {finding.check}: {finding.message}"
            if finding.hint:
                yield f"  {'':<{_WIDTH}}   {finding.hint}"
        yield ""
    yield _sum_up(findings)


def _sum_up(findings: Sequence[Finding]) -> str:
    counts = {status: sum(finding.status is status for finding in findings) for status in Status}
    told = [f"{count} {status.value}" for status, count in counts.items() if count]
    return ", ".join(told)


def render_json(
    server: str, findings: Sequence[Finding], enforcement: Sequence[Enforcement]
) -> str:
    """`result` is ok, findings or undecided."""
    results = {0: "ok", EXIT_FINDINGS: "findings", EXIT_UNDECIDED: "undecided"}
    document = {
        "server": server,
        "result": results[choose_exit_code(findings)],
        "findings": [finding._asdict() for finding in findings],
        "enforcement": [report.document() for report in enforcement],
    }
    return json.dumps(document, indent=1)
