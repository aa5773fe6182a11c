"""Owns `mca cluster list`: each Cluster in a line, as its status says. Must not ask a member."""

import sys
import time
from typing import Final

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, tell
from webhook.cli.cluster import EXIT_FAILED
from webhook.cli.cluster.options import add_home_options
from webhook.cli.stored import list_documents, read_status, say
from webhook.cli.table import describe_age, render_list, render_table
from webhook.kube import KubeError, RawDocument, open_kubeconfig
from webhook.resources.clusters import ACCEPTED, ENFORCED, READY
from webhook.resources.names import CLUSTERS_PATH

_COMMAND: Final = "mca cluster list"
_USAGE: Final = "mca cluster list [OPTION ...]"
_DESCRIPTION: Final = """\
Lists the registered clusters: whether each may be used, answers, and has MCA's guards. What is
unknown was not found out yet, or not since the Cluster was changed."""
_EPILOG: Final = """\
exit codes: 0 listed, 1 it cannot be read, 64 a bad argument or kubeconfig.

examples:
  mca cluster list
  mca cluster list -o json | jq '.items[].status'"""
_HEADER: Final = (
    "NAME", "SERVER", "CREDENTIALS", "USABLE", "READY", "GUARDED", "VERSION", "LATENCY", "AGE",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """List them; the exit code."""
    parser = Parser(prog=_COMMAND, usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    add_home_options(parser)
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    given = parser.parse_args(arguments)
    try:
        kube = open_kubeconfig(given.home_context, given.kubeconfig)
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_USAGE
    try:
        documents = list_documents(kube, CLUSTERS_PATH)
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_FAILED
    if given.output == "json":
        tell([render_list(documents)])
    elif documents:
        now = time.time()
        tell(render_table(_HEADER, [_describe(each, now) for each in documents]))
    else:
        sys.stderr.write("none is registered: mca cluster add\n")
    return 0


def _describe(document: RawDocument, now: float) -> tuple[str, ...]:
    metadata, spec = document["metadata"], document["spec"]
    latency = read_status(document, "latencyMilliseconds")
    return (
        metadata["name"],
        spec["server"],
        ",".join(spec["credentials"]),
        say(document, ACCEPTED),
        say(document, READY),
        say(document, ENFORCED),
        str(read_status(document, "version") or ""),
        "" if latency is None else f"{latency}ms",
        describe_age(metadata.get("creationTimestamp"), now),
    )
