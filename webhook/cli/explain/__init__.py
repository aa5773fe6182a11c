"""Owns `mca explain`: what the sidecar would do with one call, and why, without sending it.

Must not do what its parts do: here a snapshot, a caller and a question are put together.
"""

import argparse
import sys

from sidecar.policy.snapshot import Snapshot
from sidecar.policy.verdict import Body, Caller, Denial
from webhook.cli.arguments import Parser, complain, tell
from webhook.cli.explain.pod_source import Access, fetch_pod, is_ours
from webhook.cli.explain.question import Place, Question, QuestionError, read_question
from webhook.cli.explain.telling import Explanation, render_json, render_text
from webhook.cli.policy import EXIT_ERROR
from webhook.cli.policy.judgement import Judge, Judgement, UndecidedError
from webhook.cli.policy.kinds import KindError, Kinds
from webhook.cli.policy.snapshot_source import SourceError, load_snapshot

EXIT_DENIED = 1
_COMMAND = "mca explain"
_USUAL_CONTAINER = "app"
_USUAL_ACCOUNT = "default"

_USAGE = """\
mca explain --snapshot FILE [OPTION ...] VERB TARGET
       mca explain --pod NAMESPACE/NAME [OPTION ...] VERB TARGET"""
_DESCRIPTION = """\
Tells what the sidecar would do with one call: allowed or denied, by which rule, served by which
cluster over which route, and how. The decision is made by the sidecar's own code; the call itself
is not sent.

VERB is get, list, watch, create, update, patch, delete, deletecollection, or an HTTP method.
TARGET is TYPE or TYPE/NAME as kubectl takes it (pods/x, po/x, pods.v1./x, deployments.apps/x), or
the path of a request (/api/v1/namespaces/team-a/pods/x?container=app, /metrics)."""
_EPILOG = """\
Which kinds have namespaces is what the clusters tell the sidecar at run time. Here a table of the
kinds built into Kubernetes stands in for them; the output says so. For other kinds the form of the
call counts, or --kinds.

Where a decision hangs on the body and none is given, one that says nothing is taken: {}, or the
name of what is created.

exit codes: 0 allowed, 1 denied, 2 nothing could be decided.

examples:
  mca explain --snapshot policy.json list pods -n team-a
  mca explain --snapshot policy.json create pods/web-0 --subresource exec --as-container agent
  mca explain --snapshot policy.json --kinds widgets.example.com=cluster list widgets.example.com
  mca explain --pod team-a/web-0 delete secrets/db
  mca explain --pod team-a/web-0 GET '/api/v1/namespaces/team-b/pods?watch=true'"""


def main(arguments: list[str]) -> int:
    """Explain one call; the exit code."""
    given = _make_parser().parse_args(arguments)
    try:
        told = _explain(given)
    except (SourceError, QuestionError, KindError, UndecidedError) as error:
        complain(str(error), _COMMAND)
        return EXIT_ERROR
    tell([render_json(told) if given.json else render_text(told)])
    return 0 if told.allowed else EXIT_DENIED


def _make_parser() -> Parser:
    parser = Parser(
        prog=_COMMAND,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        exit_code=EXIT_ERROR,
    )
    policy = parser.add_argument_group("whose policy").add_mutually_exclusive_group(required=True)
    policy.add_argument("--snapshot", metavar="FILE", help="a snapshot file")
    policy.add_argument(
        "--pod",
        metavar="NAMESPACE/NAME",
        help="a pod, and the ConfigMap mca-policy of its namespace, read with kubectl",
    )
    caller = parser.add_argument_group("who calls")
    caller.add_argument(
        "--as-container",
        metavar="NAME",
        help=f"the calling container; else the pod's default one, or {_USUAL_CONTAINER}",
    )
    caller.add_argument(
        "--service-account",
        metavar="NAME",
        help=f"with --snapshot: the pod's service account, else {_USUAL_ACCOUNT}",
    )
    asked = parser.add_argument_group("what is asked")
    asked.add_argument("-n", "--namespace", metavar="NAME", help="else the pod's own")
    asked.add_argument("-A", "--all-namespaces", action="store_true", help="in all namespaces")
    asked.add_argument("--subresource", metavar="NAME", help="exec, log, scale, status, ...")
    asked.add_argument("--body", metavar="FILE", help="the request's body; - is standard input")
    asked.add_argument("--content-type", metavar="TYPE", help="of the body; else JSON")
    known = parser.add_argument_group("what the sidecar would know")
    known.add_argument(
        "--kinds",
        metavar="PLURAL.GROUP=namespaced|cluster",
        action="append",
        default=[],
        help="whether a kind has namespaces; may be given again",
    )
    known.add_argument(
        "--api-audience",
        metavar="AUDIENCE",
        action="append",
        default=[],
        help="an audience that the API server accepts, for token requests; may be given again",
    )
    cluster = parser.add_argument_group("for --pod, as kubectl takes them")
    cluster.add_argument("--context", metavar="NAME")
    cluster.add_argument("--kubeconfig", metavar="PATH")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("verb", metavar="VERB")
    parser.add_argument("target", metavar="TARGET", nargs="+")
    return parser


def _explain(given: argparse.Namespace) -> Explanation:
    kinds = Kinds(given.kinds)
    source, snapshot, caller = _find_caller(given)
    place = Place(
        given.namespace or "", caller.namespace, given.all_namespaces, given.subresource or ""
    )
    if len(given.target) > 1:
        raise QuestionError(
            f"one TARGET is asked about: write {'/'.join(given.target[:2])} to name an object"
        )
    question = read_question(given.verb, given.target[0], place, kinds)
    if isinstance(question, Denial):
        return Explanation(source, snapshot, caller, None, Judgement(question))
    audiences = frozenset(given.api_audience) or None
    judge = Judge(snapshot, audiences, kinds)
    body = _read_body(given, question)
    judgement = judge.judge(caller, question.info, body)
    steps = judge.list_steps(caller, question.info, body, judgement)
    assumed = _assume(given, question, judgement)
    question = question._replace(assumed=(*question.assumed, *assumed))
    return Explanation(source, snapshot, caller, question, judgement, steps)


def _find_caller(given: argparse.Namespace) -> tuple[str, Snapshot, Caller]:
    """The policy, where it came from, and who calls."""
    container = given.as_container
    if container is not None and is_ours(container):
        raise SourceError(f"--as-container {container}: the sidecar's own calls pass no policy")
    if given.pod is None:
        snapshot = load_snapshot(given.snapshot)
        account = given.service_account or _USUAL_ACCOUNT
        caller = Caller(container or _USUAL_CONTAINER, snapshot.namespace, account, "")
        return given.snapshot, snapshot, caller
    if given.service_account is not None:
        raise SourceError("--service-account: a pod has its own, leave the option out")
    pod, snapshot = fetch_pod(given.pod, Access(given.context, given.kubeconfig))
    if container is not None and container not in pod.containers:
        raise SourceError(
            f"--as-container {container}: pod {given.pod} has {', '.join(pod.containers)}"
        )
    caller = Caller(container or pod.usual_container, pod.namespace, pod.service_account, pod.name)
    return f"ConfigMap {pod.namespace}/mca-policy", snapshot, caller


def _read_body(given: argparse.Namespace, question: Question) -> Body:
    usual = "application/merge-patch+json" if question.method == "PATCH" else "application/json"
    content_type = given.content_type or usual
    if given.body is None:
        return Body(content_type, question.body)
    if given.body == "-":
        return Body(content_type, sys.stdin.buffer.read())
    try:
        with open(given.body, "rb") as file:
            return Body(content_type, file.read())
    except OSError as error:
        raise SourceError(f"--body {given.body}: {error.strerror}") from None


def _assume(given: argparse.Namespace, question: Question, judgement: Judgement) -> list[str]:
    """What the options left open, as far as it counted."""
    assumed = []
    if given.pod is None and given.as_container is None:
        assumed.append(f"container {_USUAL_CONTAINER}: --as-container names another")
    if judgement.by_body and given.body is None:
        assumed.append(f"the body {question.body.decode()}: --body FILE gives yours")
    if question.info.subresource == "token" and not given.api_audience:
        assumed.append("no audience of the API server is known: --api-audience names them")
    return assumed
