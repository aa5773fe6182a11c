"""`up` starts a node until Ctrl-C, `build` makes what it needs, `test` runs tests/node.

Owns the commands. What is started here ends with them, kill -9 included.
"""

import argparse
import signal
import sys
import time
from types import FrameType
from typing import Never

from tests.controlplane import BinaryMissingError, find_binary
from tests.controlplane.binaries import NODE_RECIPES, RECIPES
from tests.node.host import UnfitError, prepare_host
from tests.node.images import build_application, build_dependencies, build_pause
from tests.node.world import is_inside, run_inside


def main() -> int:
    """Progress on standard error; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.node", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="install and build everything a node needs")
    commands.add_parser("up", help="start a node and wait")
    commands.add_parser("test", help="run the tests of tests/node; further options are pytest's")
    arguments, options = parser.parse_known_args()
    if options and arguments.command != "test":
        parser.error(f"unknown: {' '.join(options)}")
    try:
        if not is_inside():
            _build()
    except (BinaryMissingError, UnfitError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.command == "up":
        if is_inside():
            serve()
        return run_inside(["-m", "tests.node", "up"])
    if arguments.command == "test":
        return run_inside(["-m", "pytest", "tests/node", *options])
    return 0


def serve() -> Never:
    """Until SIGINT or SIGTERM, at any moment of the start as well."""
    from tests.node.node import Node

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    began = time.monotonic()
    with Node() as node:
        node.import_image(build_application())
        print(f"Ready after {time.monotonic() - began:.1f} s", file=sys.stderr)
        print(
            "its network is its own; from another shell, as root:\n"
            '  nsenter --net --target "$(pgrep -n kubelet)" '
            f"env KUBECONFIG={node.plane.admin_kubeconfig()} {find_binary('kubectl')} get pods -A",
            flush=True,
        )
        while True:
            signal.pause()


def _build() -> None:
    """Outside, where there is a network."""
    prepare_host()
    for name in (*RECIPES, *NODE_RECIPES):
        find_binary(name)
    build_pause()
    build_application()
    build_dependencies()


def _leave(_number: int, _frame: FrameType | None) -> Never:
    raise SystemExit(0)


if __name__ == "__main__":
    raise SystemExit(main())
