"""Owns the command `mca`: finds the command that was asked for and runs it.

Must not import more than that command needs: `mca sidecar` starts in every pod, and starts fast.
"""

import sys
from importlib import import_module

EXIT_USAGE = 64
EXIT_INTERRUPTED = 130

# Each of these modules has a `main`, which takes the arguments behind the command's name.
COMMANDS = {
    "sidecar": "sidecar.__main__",
    "run": "webhook.cli.run",
    "demo": "webhook.cli.demo",
    "explain": "webhook.cli.explain",
    "policy": "webhook.cli.policy",
    "install": "webhook.cli.install",
    "uninstall": "webhook.cli.uninstall",
    "check": "webhook.cli.check",
    "status": "webhook.cli.status",
    "cluster": "webhook.cli.cluster",
    "tenant": "webhook.cli.tenant",
    "route": "webhook.cli.route",
    "inject": "webhook.cli.inject",
    "uninject": "webhook.cli.uninject",
    "webhook": "webhook.cli.webhook",
    "controller": "webhook.cli.controller",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in COMMANDS:
        module, rest = COMMANDS[arguments[0]], arguments[1:]
    else:
        module, rest = "webhook.cli.overview", arguments
    code: int = import_module(module).main(rest)
    return code
