"""Owns the start: settings, then the identity's child, then everything heavy, then the ports.

Must not import ssl or asyncio before the child is on its way: their 40 ms of imports and the
child's run side by side.
"""

import gc
import os
import resource
import sys

from sidecar.config import EXIT_CONFIG, Settings, format_errors, parse_settings
from sidecar.identity import IdentityError, Minting, begin
from sidecar.log import claim_descriptors

_HELP = """\
usage: python -m sidecar            (or: mca sidecar)

Runs the MCA sidecar: a Kubernetes API on 127.0.0.1:6443 for the containers of this pod.
It takes no arguments; everything is set by environment variables:

"""


def main(arguments: list[str]) -> int:
    """Run one sidecar to its end; the exit code."""
    if arguments:
        return _help(arguments)
    gc.disable()  # until the start is over: looking through what it makes would take 5 ms of it
    claim_descriptors()
    # The credential, the leaf's key and the seed are in this memory: no core file of it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    settings = parse_settings(os.environ)
    if not isinstance(settings, Settings):
        sys.stderr.write(format_errors(settings))
        return EXIT_CONFIG
    try:
        minting = begin(settings)
        return _run(settings, minting)
    except IdentityError as failure:
        sys.stderr.write(format_errors((str(failure),)))
        return EXIT_CONFIG


def _help(arguments: list[str]) -> int:
    from sidecar.config import TABLE

    asked = arguments in (["--help"], ["-h"])
    out = sys.stdout if asked else sys.stderr
    out.write(_HELP)
    for setting in TABLE:
        out.write(f"  {setting.variable:<28} {setting.meaning}")
        out.write(f" [{setting.default}]\n" if setting.default else "\n")
    return 0 if asked else EXIT_CONFIG


def _run(settings: Settings, minting: Minting | None) -> int:
    from sidecar.start import run

    return run(settings, minting)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
