"""Owns `mca route test`: which cluster would serve one call of a namespace, and how it is.

Must not send the call, nor decide by itself: the controller's compiler and the sidecar's own
decision do.
"""

import argparse
import json
from collections.abc import Iterator
from typing import Any, Final

from sidecar.policy.verdict import Answer, Body, Caller, Denial, Permit
from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, printable, tell
from webhook.cli.cluster.options import add_home_options
from webhook.cli.explain.question import Place, QuestionError, read_question
from webhook.cli.install.options import parse_namespace
from webhook.cli.policy import EXIT_ERROR
from webhook.cli.policy.judgement import Judge, Judgement, UndecidedError
from webhook.cli.policy.kinds import KindError, Kinds
from webhook.cli.policy.snapshot_source import SourceError
from webhook.cli.route.compiled import Situation, compile_situation, list_refused, read_files
from webhook.cli.stored import read_status, say
from webhook.kube import KubeError, open_kubeconfig
from webhook.resources.clusters import ACCEPTED, ENFORCED, READY
from webhook.resources.names import CLOSED

EXIT_REFUSED: Final = 1
_COMMAND: Final = "mca route test"
_USAGE: Final = "mca route test -n NAMESPACE [-f FILE ...] [OPTION ...] VERB TARGET"
_DESCRIPTION: Final = """\
Tells which cluster would serve one call of the pods of a namespace, by its Tenant, its Routes and
the Clusters as they are at home, or as they would be with the objects of files. Nothing is written
and the call is not sent.

VERB is get, list, watch, create, update, patch, delete, deletecollection, or an HTTP method. TARGET
is TYPE or TYPE/NAME as kubectl takes it, or a path. Why in all detail: mca explain."""
_EPILOG: Final = """\
exit codes: 0 a cluster serves it, 1 it is refused, 2 nothing could be decided, 64 a bad kubeconfig.

examples:
  mca route test -n team-a create jobs.batch
  mca route test -n team-a -f route.yaml list pods
  mca route test -n team-a --as-container agent delete secrets/db"""


def main(arguments: list[str]) -> int:
    """Test one call; the exit code."""
    given = _make_parser().parse_args(arguments)
    try:
        kube = open_kubeconfig(given.home_context, given.kubeconfig)
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_USAGE
    try:
        files = read_files(given.file, given.namespace)
        found = compile_situation(kube, given.namespace, files, given.system_namespace)
        judgement = _judge(given, found)
    except (KubeError, SourceError, QuestionError, KindError, UndecidedError) as error:
        complain(str(error), _COMMAND)
        return EXIT_ERROR
    if given.output == "json":
        tell([json.dumps(_describe(found, judgement), indent=1)])
    else:
        tell(map(printable, _render(_describe(found, judgement))))
    return EXIT_REFUSED if _is_refused(judgement) else 0


def _make_parser() -> Parser:
    parser = Parser(
        prog=_COMMAND,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        exit_code=EXIT_ERROR,
    )
    parser.add_argument(
        "-n", "--namespace", metavar="NAME", type=parse_namespace, required=True,
        help="whose pods call",
    )  # fmt: skip
    parser.add_argument(
        "-f", "--file", metavar="FILE", action="append", default=[],
        help="Routes, Clusters, Tenants in place of those at home; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--in", dest="inside", metavar="NAMESPACE", help="where the call is for; else its own"
    )
    parser.add_argument("--subresource", metavar="NAME", help="exec, log, scale, status, ...")
    parser.add_argument("--as-container", metavar="NAME", default="app", help="else %(default)s")
    parser.add_argument(
        "--service-account", metavar="NAME", default="default", help="else %(default)s"
    )
    parser.add_argument(
        "--kinds", metavar="PLURAL.GROUP=namespaced|cluster", action="append", default=[],
        help="whether a kind has namespaces; may be given again",
    )  # fmt: skip
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    add_home_options(parser)
    parser.add_argument("verb", metavar="VERB")
    parser.add_argument("target", metavar="TARGET")
    return parser


def _judge(given: argparse.Namespace, found: Situation) -> Judgement:
    kinds = Kinds(given.kinds)
    place = Place(given.inside or "", given.namespace, False, given.subresource or "")
    question = read_question(given.verb, given.target, place, kinds)
    if isinstance(question, Denial):
        return Judgement(question)
    caller = Caller(given.as_container, given.namespace, given.service_account, "")
    body = Body("application/json", question.body)
    return Judge(found.snapshot, None, kinds).judge(caller, question.info, body)


def _is_refused(judgement: Judgement) -> bool:
    verdict = judgement.verdict
    return isinstance(verdict, Denial) or (
        isinstance(verdict, Permit) and verdict.plan.candidates[0] == CLOSED
    )


def _describe(found: Situation, judgement: Judgement) -> dict[str, Any]:
    verdict = judgement.verdict
    told: dict[str, Any] = {"rule": verdict.rule, "tenant": None}
    if found.snapshot.tenant is not None:
        told["tenant"] = found.snapshot.tenant.name
    if isinstance(verdict, Denial):
        told |= {"verdict": "refused", "message": verdict.message}
    elif isinstance(verdict, Answer):
        told |= {"verdict": "answered", "message": "policy itself answers, no cluster is asked"}
    elif _is_refused(judgement):
        message = "the route that takes it leads to a cluster that cannot be used"
        told |= {"verdict": "refused", "route": verdict.plan.route, "message": message}
    else:
        cluster, *stand_ins = verdict.plan.candidates
        told |= {
            "verdict": "served",
            "cluster": cluster,
            "route": verdict.plan.route,
            "standIns": stand_ins,
            "clusters": {
                name: _describe_cluster(found.clusters[name])
                for name in verdict.plan.candidates
                if name in found.clusters
            },
        }
    told["refusedRoutes"] = [
        {"name": name, "reason": reason, "message": message}
        for name, reason, message in list_refused(found.compiled)
    ]
    told["remarks"] = [*(f"Tenant {told['tenant']}: {each}" for each in found.compiled.tenant)]
    told["remarks"] += found.remarks
    return told | {"assumed": list(judgement.assumed)}


def _describe_cluster(document: dict[str, Any]) -> dict[str, Any]:
    words = (("usable", ACCEPTED), ("ready", READY), ("guarded", ENFORCED))
    told = {word: say(document, kind) or "unknown" for word, kind in words}
    return told | {
        "server": document["spec"].get("server"),
        "latencyMilliseconds": read_status(document, "latencyMilliseconds"),
    }


def _render(told: dict[str, Any]) -> Iterator[str]:
    if told["verdict"] == "served":
        route = f"route {told['route']}" if told["route"] else "no route takes it"
        yield f"served by {told['cluster']}: {route}"
        for stand_in in told["standIns"]:
            yield f"  reads by {stand_in} while that is down"
        for name, cluster in told["clusters"].items():
            latency = cluster["latencyMilliseconds"]
            ms = "" if latency is None else f", {latency} ms"
            yield (
                f"  {name}: {cluster['server']}; usable: {cluster['usable']}; ready: "
                f"{cluster['ready']}{ms}; guarded: {cluster['guarded']}"
            )
    else:
        yield f"{told['verdict']}: {told['message']}"
    yield f"  by the rule {told['rule']}; tenant: {told['tenant'] or 'none'}"
    for route in told["refusedRoutes"]:
        yield f"route {route['name']} does not count, {route['reason']}: {route['message']}"
    yield from told["remarks"]
    for assumed in told["assumed"]:
        yield f"assumed: {assumed}"
