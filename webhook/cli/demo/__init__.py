"""Owns `mca demo`: the main job, done on real control planes and told as a story.

Must not pretend: what it shows is what happened, and a step that went otherwise fails the demo.
"""

import importlib.util

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra

_USAGE = "mca demo"
_DESCRIPTION = """\
Shows the main job on this machine, with nothing set up before: two real clusters, a tenant with a
route, a sidecar as it runs in a pod, and two applications that hold no credential - unmodified
kubectl and a Python program - working through it. What is refused is explained, and what they did
is told with the sidecar's audit lines."""
_EPILOG = """\
Runs from a checkout of the project (`make demo`), because the clusters are those of its tests.
Missing servers are built once, which takes Go 1.26 and some minutes. Nothing is left running.

exit codes: 0 if all was as told, 1 if anything was not, 64 if something is missing here."""


def main(arguments: list[str]) -> int:
    """Run the demo; the exit code."""
    parser = Parser(prog="mca demo", usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    parser.parse_args(arguments)
    if lacks_extra("demo", "kubernetes"):
        return EXIT_USAGE
    if not _has_control_plane():
        complain(
            "the demo runs from a checkout of the project, where tests/controlplane is;"
            " get one and run `make demo`"
        )
        return EXIT_USAGE
    from webhook.cli.demo.scenes import run

    return run()


def _has_control_plane() -> bool:
    try:
        return importlib.util.find_spec("tests.controlplane") is not None
    except ModuleNotFoundError:
        return False
