"""Owns `mca tenant list` and `mca tenant show`: Tenants as their status and their Routes say.

Must not judge: the controller has.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, printable, tell
from webhook.cli.cluster.options import add_home_options
from webhook.cli.install.options import parse_namespace
from webhook.cli.stored import find_document, list_documents, read_status, read_today, say
from webhook.cli.table import describe_age, render_list, render_table
from webhook.kube import Kube, KubeError, RawDocument, open_kubeconfig
from webhook.resources.names import ROUTES_PATH, TENANTS_PATH, object_path

EXIT_FAILED: Final = 1
_READY: Final = "Ready"
_ACCEPTED: Final = "Accepted"
_HEADER: Final = (
    "NAME", "MODE", "BOUNDARY", "NAMESPACES", "CLUSTERS", "READY", "SIDECARS", "OLD", "AGE",
)  # fmt: skip
_WORDS: Final = {True: "ok", False: "fail", None: "unknown"}
_EPILOG: Final = """\
exit codes: 0 told, 1 it is not there or cannot be read, 64 a bad argument or kubeconfig."""


def list_tenants(arguments: list[str]) -> int:
    """List all; the exit code."""
    command = "mca tenant list"
    parser = Parser(
        prog=command,
        usage=f"{command} [OPTION ...]",
        description="Lists the Tenants. OLD are sidecars that run an earlier policy than today's.",
        epilog=_EPILOG,
    )
    return _run(parser, parser.parse_args, arguments, _list)


def show_tenant(arguments: list[str]) -> int:
    """Show one; the exit code."""
    command = "mca tenant show"
    parser = Parser(
        prog=command,
        usage=f"{command} NAME [OPTION ...]",
        description="Shows one Tenant: each condition with its reason, its namespaces and the\n"
        "Routes in them.",
        epilog=_EPILOG,
    )
    parser.add_argument("name", metavar="NAME", type=parse_namespace)
    return _run(parser, parser.parse_args, arguments, _show)


def _run(
    parser: Parser,
    parse: Callable[[list[str]], argparse.Namespace],
    arguments: list[str],
    work: Callable[[Kube, argparse.Namespace], int],
) -> int:
    add_home_options(parser)
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    given = parse(arguments)
    try:
        kube = open_kubeconfig(given.home_context, given.kubeconfig)
    except KubeError as error:
        complain(str(error), parser.prog)
        return EXIT_USAGE
    try:
        return work(kube, given)
    except KubeError as error:
        complain(str(error), parser.prog)
        return EXIT_FAILED


def _list(kube: Kube, given: argparse.Namespace) -> int:
    documents = list_documents(kube, TENANTS_PATH)
    if given.output == "json":
        tell([render_list(documents)])
    elif documents:
        now = time.time()
        tell(render_table(_HEADER, [_describe(each, now) for each in documents]))
    else:
        sys.stderr.write("there is none: kubectl apply a Tenant\n")
    return 0


def _describe(document: RawDocument, now: float) -> tuple[str, ...]:
    metadata, spec = document["metadata"], document.get("spec") or {}
    sidecars = read_status(document, "sidecars") or {}
    return (
        metadata["name"],
        spec.get("mode") or "",
        spec.get("boundary") or "",
        str(len(read_status(document, "namespaces") or ())),
        ",".join(spec.get("clusters") or ()),
        say(document, _READY),
        str(sidecars.get("total", "")),
        str(sidecars.get("old", "")),
        describe_age(metadata.get("creationTimestamp"), now),
    )


def _show(kube: Kube, given: argparse.Namespace) -> int:
    document = find_document(kube, object_path("Tenant", given.name))
    if document is None:
        complain(f"Tenant {given.name} is not there: mca tenant list", "mca tenant show")
        return EXIT_FAILED
    held = set(read_status(document, "namespaces") or ())
    routes = [
        route
        for route in (list_documents(kube, ROUTES_PATH) if held else ())
        if route["metadata"]["namespace"] in held
    ]
    if given.output == "json":
        tell([json.dumps({"tenant": document, "routes": routes}, indent=1)])
    else:
        tell(map(printable, _render(document, routes)))
    return 0


def _render(document: RawDocument, routes: list[RawDocument]) -> Iterator[str]:
    spec = document.get("spec") or {}
    name, mode, boundary = document["metadata"]["name"], spec.get("mode"), spec.get("boundary")
    yield f"{name}: mode {mode}, boundary {boundary}"
    yield f"  clusters: {', '.join(spec.get('clusters') or ()) or 'home alone'}"
    yield f"  namespaces: {', '.join(read_status(document, 'namespaces') or ()) or 'none yet'}"
    sidecars = read_status(document, "sidecars")
    if sidecars:
        total, old = sidecars.get("total", 0), sidecars.get("old", 0)
        yield f"  sidecars: {total}, of them {old} on an old policy"
    conditions = read_today(document)
    if not conditions:
        yield "  no controller has looked at it yet"
    for kind, condition in conditions.items():
        message = f": {condition.message}" if condition.message else ""
        yield f"  {_WORDS[condition.status]:<8} {kind} ({condition.reason}){message}"
    if routes:
        yield "routes, by priority:"
        yield from (f"  {line}" for line in render_table(_ROUTES, _list_rows(routes)))


_ROUTES: Final = ("NAMESPACE", "NAME", "PRIORITY", "TO", "STAND-INS", "COUNTS")


def _list_rows(routes: list[RawDocument]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for route in sorted(routes, key=lambda each: -int(each["spec"].get("priority") or 0)):
        to: dict[str, Any] = route["spec"].get("to") or {}
        rows.append(
            (
                route["metadata"]["namespace"],
                route["metadata"]["name"],
                str(route["spec"].get("priority") or 0),
                ",".join(str(member.get("cluster")) for member in to.get("members") or ()),
                ",".join(to.get("standIns") or ()),
                say(route, _ACCEPTED),
            )
        )
    return rows
