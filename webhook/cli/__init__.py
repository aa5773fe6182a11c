"""Owns the command `mca`: finds the command that was asked for and runs it.

Must not import more than that command needs: `mca sidecar` starts in every pod, and starts fast.
"""

import sys

EXIT_USAGE = 64


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    match arguments:
        case ["sidecar", *rest]:
            from sidecar.__main__ import main as run_sidecar

            return run_sidecar(rest)
        case ["run", *rest]:
            from webhook.cli.run import main as run_run

            return run_run(rest)
        case ["demo", *rest]:
            from webhook.cli.demo import main as run_demo

            return run_demo(rest)
        case ["explain", *rest]:
            from webhook.cli.explain import main as run_explain

            return run_explain(rest)
        case ["policy", *rest]:
            from webhook.cli.policy import main as run_policy

            return run_policy(rest)
        case ["inject", *rest]:
            from webhook.cli.inject import main as run_inject

            return run_inject(rest)
        case ["uninject", *rest]:
            from webhook.cli.uninject import main as run_uninject

            return run_uninject(rest)
        case ["webhook", *rest]:
            from webhook.cli.webhook import main as run_webhook

            return run_webhook(rest)
        case _:
            from webhook.cli.overview import main as run_overview

            return run_overview(arguments)
