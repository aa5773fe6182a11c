"""`up` starts a node until Ctrl-C, `build` makes what it needs, `test` runs tests/node, `sizes`
tells how large our images are.

Owns the commands. What is started here ends with them, kill -9 included.
"""

import argparse
import signal
import sys
import time
from types import FrameType
from typing import Never

from tests.controlplane import BinaryMissingError, find_binary
from tests.node.host import UnfitError
from tests.node.images import build_application
from tests.node.preparation import prepare
from tests.node.product import PRODUCTS, list_sizes
from tests.node.world import is_inside, run_inside


def main() -> int:
    """Progress on standard error; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.node", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="install and build everything a node needs")
    commands.add_parser("sizes", help="of the layers of the images that we ship")
    commands.add_parser("up", help="start a node and wait")
    commands.add_parser("test", help="run the tests of tests/node; all, or as pytest's options say")
    arguments, options = parser.parse_known_args()
    if options and arguments.command != "test":
        parser.error(f"unknown: {' '.join(options)}")
    try:
        if not is_inside():
            prepare()
    except (BinaryMissingError, UnfitError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.command == "sizes":
        tell_sizes()
    if arguments.command == "up":
        if is_inside():
            serve()
        return run_inside(["-m", "tests.node", "up"])
    if arguments.command == "test":
        named = any(option.startswith("tests/node") for option in options)
        return run_inside(["-m", "pytest", *([] if named else ["tests/node"]), *options])
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


def tell_sizes() -> None:
    """Not compressed, as a node keeps them."""
    for product in PRODUCTS:
        sizes = dict(list_sizes(product))
        shown = ", ".join(f"{what} {size / 1e6:.1f}" for what, size in sizes.items())
        print(f"{product.name}: {sum(sizes.values()) / 1e6:.1f} MB ({shown})")


def _leave(_number: int, _frame: FrameType | None) -> Never:
    raise SystemExit(0)


if __name__ == "__main__":
    raise SystemExit(main())
