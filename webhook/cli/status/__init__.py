"""Owns `mca status`: how the controller, clusters, tenants, routes and sidecars are, at a glance.

Must not judge: what the controller says in its objects is summed up.
"""

import argparse
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra, printable, tell

if TYPE_CHECKING:
    from webhook.cli.status.summary import Part
    from webhook.kube import Kube

EXIT_FINDINGS = 1
EXIT_UNDECIDED = 2
_COMMAND = "mca status"
_USAGE = "mca status [OPTION ...]"
_DESCRIPTION = """\
Sums up what the controller says: who leads, how many Clusters may be used, answer and have guards,
how many Tenants and Routes are as stated, how many sidecars run today's policy. What is not in
order is named, with the reason."""
_EPILOG = """\
exit codes: 0 all is as stated, 1 something is not, 2 it cannot be read, 64 a bad argument or
kubeconfig.

examples:
  mca status
  mca status -o json | jq '.parts[] | select(.findings != [])'"""


def main(arguments: list[str]) -> int:
    """Tell; the exit code."""
    parser = Parser(prog=_COMMAND, usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    _add_options(parser)
    given = parser.parse_args(arguments)
    if lacks_extra("status", "kubernetes", "yaml"):
        return EXIT_USAGE
    from webhook.kube import KubeError, open_kubeconfig

    try:
        kube = open_kubeconfig(given.home_context, given.kubeconfig)
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_USAGE
    try:
        parts = _sum_up(kube, given)
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_UNDECIDED
    if given.output == "json":
        tell([json.dumps({"server": kube.server, "parts": [part.document() for part in parts]})])
    else:
        tell(map(printable, _render(parts)))
    return EXIT_FINDINGS if any(part.findings for part in parts) else 0


def _add_options(parser: Parser) -> None:
    from webhook.cli.cluster.options import add_home_options

    add_home_options(parser)
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")


def _sum_up(kube: "Kube", given: argparse.Namespace) -> list["Part"]:
    from webhook.cli.status.summary import (
        sum_up_clusters,
        sum_up_controller,
        sum_up_routes,
        sum_up_sidecars,
        sum_up_tenants,
    )
    from webhook.cli.stored import find_document, list_documents
    from webhook.controller.broker.map_names import STATUS_MAP
    from webhook.resources.names import CLUSTERS_PATH, CONTROLLER, ROUTES_PATH, TENANTS_PATH

    system = given.system_namespace
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{system}/leases"
    counted: Any = find_document(kube, f"/api/v1/namespaces/{system}/configmaps/{STATUS_MAP}")
    return [
        sum_up_controller(find_document(kube, f"{leases}/{CONTROLLER}"), time.time()),
        sum_up_clusters(list_documents(kube, CLUSTERS_PATH)),
        sum_up_tenants(list_documents(kube, TENANTS_PATH)),
        sum_up_routes(list_documents(kube, ROUTES_PATH)),
        sum_up_sidecars(counted),
    ]


def _render(parts: list["Part"]) -> Iterator[str]:
    width = max(len(part.name) for part in parts)
    for part in parts:
        yield f"{part.name:<{width}}  {part.told}"
        for finding in part.findings:
            yield f"{'':<{width}}    {finding}"
