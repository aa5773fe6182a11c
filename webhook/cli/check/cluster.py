"""Owns the checks of the cluster itself: whether its API server can do what MCA is built on.

Must not look at anything of MCA's.
"""

import re
from collections.abc import Iterator
from typing import Final

from webhook.cli.check.facts import Facts
from webhook.cli.check.finding import Finding, Reporter
from webhook.cli.install.versions import FOR_GUARDS, FOR_SIDECARS, parse_version

GROUP: Final = "kubernetes"
_NEEDED: Final = (
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
)


def check_version(facts: Facts) -> Iterator[Finding]:
    """Two things came with two releases."""
    report = Reporter(GROUP, "version")
    told = str(facts.version.get("gitVersion") or "")
    version = parse_version(facts.version)
    if version is None:
        told = re.sub(r"\s+", " ", told)[:40]
        yield report.warn(
            f"the API server calls itself {told!r}", "MCA needs 1.30 or newer: see that it is"
        )
    elif version < FOR_SIDECARS:
        yield report.fail(
            f"{told}: init containers that keep running came with 1.29",
            "no sidecar can work here: bring the cluster to 1.30 or newer",
        )
    elif version < FOR_GUARDS:
        yield report.warn(
            f"{told}: ValidatingAdmissionPolicies came with 1.30",
            "pods get sidecars; enforced namespaces need 1.30 or newer",
        )
    else:
        yield report.ok(told)


def check_admission_kinds(facts: Facts) -> Iterator[Finding]:
    """They can be turned off by flags of the API server."""
    report = Reporter(GROUP, "admission")
    document = facts.admission_kinds.read() or {}
    served = {item["name"] for item in document.get("resources") or ()}
    if missing := [name for name in _NEEDED if name not in served]:
        yield report.fail(
            f"admissionregistration.k8s.io/v1 has no {', '.join(missing)}",
            "look at --runtime-config and --feature-gates of the API server",
        )
    else:
        yield report.ok("webhooks and ValidatingAdmissionPolicies are served")


CHECKS: Final = (check_version, check_admission_kinds)
