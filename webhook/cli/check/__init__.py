"""Owns `mca check`: what is wrong with an installation and its namespaces, and what to do about it.

Must not check: the modules beside it do, each over facts that were fetched before.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from webhook.cli.arguments import Parser, complain, lacks_extra, printable, tell

if TYPE_CHECKING:
    from webhook.cli.check.facts import Facts
    from webhook.cli.check.finding import Finding
    from webhook.enforcement.report import Enforcement

EXIT_UNDECIDED = 2
_COMMAND = "mca check"
_USAGE = "mca check [-n NAMESPACE ...] [OPTION ...]"
_DESCRIPTION = """\
Looks at MCA in a cluster, as an admin sees it, and tells what is in order and what is not, each
with what to do about it: the API server's version, the installation, the webhook's registration and
the certificates it is trusted by, the guards, rights.

Then it looks at namespaces, all that are labelled or those that are named: a pod is tried there as
a dry run and must get its sidecar. Of an enforced namespace (label mca.io/boundary: enforced) it
tells whether the boundary really holds: it does when no pod is left that was not injected, no
Secret that holds a token, and the Pod Security label is there.

Nothing is written: what is tried is sent as a dry run. Values of Secrets are not read."""
_EPILOG = """\
statuses: ok; warn, it works and should not stay so; fail; unknown, nobody could say (it could not
be read, for want of rights, say).

exit codes: 0 nothing fails, 1 something does, 2 something could not be decided and nothing fails.

examples:
  mca check
  mca check -n team-a
  mca check -o json | jq '.enforcement[] | select(.enforced | not)'"""


def main(arguments: list[str]) -> int:
    """Check; the exit code."""
    given = _make_parser().parse_args(arguments)
    if lacks_extra("check", "kubernetes", "yaml"):
        return EXIT_UNDECIDED
    from webhook.cli.check.fetching import Fetcher
    from webhook.cli.check.telling import choose_exit_code, render_json, render_text
    from webhook.kube import KubeError, open_kubeconfig

    try:
        kube = open_kubeconfig(given.context, given.kubeconfig)
        facts = Fetcher(kube, given.system_namespace).fetch(given.namespaces)
    except KubeError as error:
        complain(f"the API server cannot be asked: {error}", _COMMAND)
        return EXIT_UNDECIDED
    findings = list(_check(facts, given.earlier_images))
    if given.output == "json":
        reports = list(_report(facts, given.earlier_images))
        tell([render_json(kube.server, findings, reports)])
    else:
        tell(map(printable, render_text(findings)))
    return choose_exit_code(findings)


def _make_parser() -> Parser:
    from webhook.cli.install.options import add_cluster_options, parse_namespace

    parser = Parser(
        prog=_COMMAND,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        exit_code=EXIT_UNDECIDED,
    )
    parser.add_argument(
        "-n", "--namespace", dest="namespaces", metavar="NAME", type=parse_namespace,
        action="append", default=[],
        help="a namespace to look at; may be given again; else every labelled one",
    )  # fmt: skip
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    parser.add_argument(
        "--earlier-image", dest="earlier_images", metavar="IMAGE@DIGEST", action="append",
        default=[],
        help="a sidecar's image of an earlier release that pods may still have; may be given again",
    )  # fmt: skip
    add_cluster_options(parser)
    return parser


def _check(facts: "Facts", earlier_images: list[str]) -> Iterator["Finding"]:
    from webhook.cli.check import (
        cluster,
        controller,
        guards,
        installation,
        namespaces,
        registration,
        rights,
    )

    modules = (cluster, installation, registration, controller, guards, rights, namespaces)
    for module in modules:
        for check in module.CHECKS:
            yield from _run(module.GROUP, check, facts)
    for namespace in facts.namespaces:
        group = namespaces.name_group(namespace.name)
        for check_one in namespaces.EACH:
            yield from _run(group, check_one, namespace, facts)
        yield from _run(group, namespaces.check_boundary, namespace, facts, earlier_images)


def _run(group: str, check: Callable[..., Iterable["Finding"]], *facts: Any) -> Iterator["Finding"]:
    """What a check finds; one finding more where it could not go on."""
    from webhook.cli.check.finding import Reporter, UndecidedError

    try:
        yield from check(*facts)
    except UndecidedError as error:
        name = check.__name__.removeprefix("check_").replace("_", "-")
        hint = "run this as somebody who may read it, and see that the API server answers"
        yield Reporter(group, name).unknown(str(error), hint)


def _report(facts: "Facts", earlier_images: list[str]) -> Iterator["Enforcement"]:
    """Of every namespace, as far as it can be told."""
    from webhook.cli.check.finding import UndecidedError
    from webhook.cli.check.namespaces import find_enforcement

    for namespace in facts.namespaces:
        try:
            report = find_enforcement(namespace, facts, earlier_images)
        except UndecidedError:
            continue
        if report is not None:
            yield report
