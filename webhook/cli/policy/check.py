"""Owns `mca policy check`: snapshot files in, everything that is wrong or odd in them out.

Must not know what is wrong or odd: parse_snapshot and findings.py do.
"""

import json

from sidecar.policy.snapshot import Snapshot
from webhook.cli.arguments import Parser, complain, printable, tell
from webhook.cli.policy import EXIT_ERROR, EXIT_FINDINGS
from webhook.cli.policy.findings import Finding, find_oddities
from webhook.cli.policy.snapshot_source import SourceError, read_snapshot

_COMMAND = "mca policy check"
_USAGE = "mca policy check [--json] FILE [FILE ...]"
_DESCRIPTION = """\
Validates snapshots with the code that a sidecar loads them with, and prints every error with its
path. Of valid ones it tells which rules can never match: hidden by others, outside the tenant's
namespaces, or about what they cannot allow. A file in order gets one line."""
_EPILOG = """\
exit codes: 0 nothing to say, 1 findings, 2 a file cannot be read.

examples:
  mca policy check policy.json
  kubectl get configmap mca-policy -o jsonpath='{.data.snapshot\\.v1\\.json}' >p.json
  mca policy check p.json"""


def main(arguments: list[str]) -> int:
    """Check the files; the exit code."""
    parser = Parser(
        prog=_COMMAND,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        exit_code=EXIT_ERROR,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each finding")
    parser.add_argument("files", metavar="FILE", nargs="+", help="a snapshot")
    given = parser.parse_args(arguments)
    code = 0
    for path in given.files:
        try:
            snapshot = read_snapshot(path)
        except SourceError as error:
            complain(str(error), _COMMAND)
            code = EXIT_ERROR
            continue
        if isinstance(snapshot, Snapshot):
            severity, findings = "warning", find_oddities(snapshot)
            if not findings and not given.json:
                tell([printable(f"{path}: fine: {_sum_up(snapshot)}")])
        else:
            severity, findings = "error", tuple(map(_split, snapshot))
        tell(_render(path, severity, finding, as_json=given.json) for finding in findings)
        if findings:
            code = max(code, EXIT_FINDINGS)
    return code


def _sum_up(snapshot: Snapshot) -> str:
    """What it holds, so that it is seen to be the right one."""
    tenant = snapshot.tenant
    if tenant is None:
        whose = "no tenant"
    else:
        rules = len(tenant.permissions) + len(tenant.cluster_resources)
        whose = f"tenant {tenant.name} with {rules} {'rule' if rules == 1 else 'rules'}"
    clusters = ", ".join(cluster.name for cluster in snapshot.clusters)
    routes = ", ".join(route.name for route in snapshot.routes) or "none"
    return f"{whose}; clusters: {clusters}; routes: {routes}"


def _split(problem: str) -> Finding:
    where, _, message = problem.partition(": ")
    return Finding(where, message)


def _render(file: str, severity: str, finding: Finding, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"file": file, "severity": severity, **finding._asdict()})
    return printable(f"{file}: {severity}: {finding.path}: {finding.message}")
