"""`python -m tests.controlplane up` starts one until Ctrl-C, `binaries` makes its parts."""

import argparse
import signal
import sys
import time
from types import FrameType
from typing import Never

from tests.controlplane import BinaryMissingError, ControlPlane, find_binary
from tests.controlplane.binaries import CHART_RECIPES, RECIPES


def main() -> int:
    """Print what was asked for on standard output, progress on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    binaries = commands.add_parser("binaries", help="print the path of each server and of kubectl")
    binaries.add_argument("--charts", action="store_true", help="of helm and kubeconform too")
    up = commands.add_parser("up", help="start a control plane, print its kubeconfig, wait")
    up.add_argument("--controller-manager", action="store_true", help="start that too")
    arguments = parser.parse_args()
    try:
        if arguments.command == "binaries":
            for name in [*RECIPES, *(CHART_RECIPES if arguments.charts else ())]:
                print(find_binary(name))
            return 0
        serve(controller_manager=arguments.controller_manager)
    except BinaryMissingError as error:
        print(error, file=sys.stderr)
        return 1


def serve(*, controller_manager: bool) -> Never:
    """Until SIGINT or SIGTERM, at any moment of the start as well."""
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    began = time.monotonic()
    print("starting a control plane", file=sys.stderr, flush=True)
    with ControlPlane(controller_manager=controller_manager) as plane:
        print(f"ready after {time.monotonic() - began:.1f} s", file=sys.stderr)
        print(f"export KUBECONFIG={plane.admin_kubeconfig()}", flush=True)
        while True:
            signal.pause()


def _leave(_number: int, _frame: FrameType | None) -> Never:
    raise SystemExit(0)


if __name__ == "__main__":
    raise SystemExit(main())
