"""Owns `mca uninstall`: what `mca install` has applied is deleted, in an order that harms nobody.

Must not delete what others have made, nor leave labelled namespaces without being told to.
"""

import argparse
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra, tell

if TYPE_CHECKING:
    from webhook.cli.install.objects_there import There
    from webhook.kube import Kube

EXIT_FAILED = 1
_COMMAND = "mca uninstall"
_USAGE = "mca uninstall [OPTION ...]"
_DESCRIPTION = """\
Deletes what `mca install` has applied. First the webhook's registration, so that no pod waits for
it, then the guards, then the rest, and its namespace last, if `mca install` made it and nothing of
others is in it. The kinds Cluster, Route and Tenant stay, with every object of them: to be rid of
those, delete all Tenants while the controller still runs, and the definitions after all else.

It refuses while namespaces are labelled for MCA: new pods there would get the service account's
real token again, and nothing would guard the boundary of enforced ones. Pods that have their
sidecar keep it, and go on working."""
_EPILOG = """\
exit codes: 0 done, 1 refused or not ended, 64 a bad argument or kubeconfig.

examples:
  kubectl label namespace team-a mca.io/injection- mca.io/boundary-
  mca uninstall"""
# What must go first, because it acts on others.
_FIRST = (
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
)
_LAST = "Namespace"
_POLL_S = 1.0
_NAMED = 5


def main(arguments: list[str]) -> int:
    """Uninstall; the exit code."""
    given = _make_parser().parse_args(arguments)
    if lacks_extra("uninstall", "kubernetes", "yaml"):
        return EXIT_USAGE
    from webhook.kube import KubeError, open_kubeconfig

    try:
        kube = open_kubeconfig(given.context, given.kubeconfig)
    except KubeError as error:
        complain(str(error), _COMMAND)
        return EXIT_USAGE
    try:
        return _uninstall(kube, given)
    except KubeError as error:
        complain(f"{error}\nrun the same command again to go on", _COMMAND)
        return EXIT_FAILED


def _make_parser() -> Parser:
    from webhook.cli.install.options import add_cluster_options, parse_seconds

    parser = Parser(prog=_COMMAND, usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument(
        "--force", action="store_true", help="even while namespaces are labelled for MCA"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="tell what would be deleted, and delete nothing"
    )
    parser.add_argument(
        "--wait", metavar="SECONDS", type=parse_seconds, default=120,
        help="for its namespace to be gone (%(default)s); 0: do not wait",
    )  # fmt: skip
    add_cluster_options(parser)
    return parser


def _uninstall(kube: "Kube", given: argparse.Namespace) -> int:
    from webhook.cli.install.objects_there import find_objects, is_applied_by_us
    from webhook.cli.install.paths import find_path, name_object
    from webhook.cli.install.place import find_system
    from webhook.install.definitions import KIND as DEFINITION

    system = given.system_namespace
    elsewhere = find_system(kube)
    if elsewhere not in ("", system):
        complain(f"it is installed in {elsewhere}: add --system-namespace {elsewhere}", _COMMAND)
        return EXIT_FAILED
    everything = find_objects(kube, system)
    kept = [each.metadata["name"] for each in everything if each.kind == DEFINITION]
    everything = [each for each in everything if each.kind != DEFINITION]
    ours = [
        each
        for each in everything
        if is_applied_by_us(each.metadata)
        and (each.kind != _LAST or each.metadata["name"] == system)
    ]
    if not ours:
        return _tell_nothing(everything)
    labelled = [] if given.force else _find_labelled(kube)
    if labelled:
        _refuse(labelled)
        return EXIT_FAILED
    ours = _spare_others(kube, ours)
    for each in sorted(ours, key=_rank):
        document = each.document()
        if not given.dry_run:
            _delete(kube, find_path(document))
        tell([f"  {name_object(document)} {'would be ' if given.dry_run else ''}deleted"])
    if kept:
        named = " ".join(sorted(kept))
        tell(["  definitions stay, and what was made of them: to delete all that, too:"])
        tell([f"  kubectl delete customresourcedefinition {named}"])
    if given.dry_run or not given.wait:
        return 0
    return _wait(kube, [find_path(each.document()) for each in ours], given.wait)


def _spare_others(kube: "Kube", ours: list["There"]) -> list["There"]:
    """Without the namespace, if something else would go with it."""
    from webhook.cli.install.place import list_others

    for each in ours:
        if each.kind == _LAST and (others := list_others(kube, name := each.metadata["name"])):
            tell(
                [
                    f"  namespace/{name} stays, others have in it: {', '.join(others)}",
                    f"  to delete all that, too: kubectl delete namespace {name}",
                ]
            )
            return [other for other in ours if other is not each]
    return ours


def _tell_nothing(everything: list["There"]) -> int:
    """Nothing of ours: somebody else's is not touched."""
    from webhook.cli.install.objects_there import find_release

    releases = {release for each in everything if (release := find_release(each.metadata))}
    if releases:
        complain(f"Helm has installed it: helm uninstall {releases.pop()}", _COMMAND)
        return EXIT_FAILED
    if everything:
        complain(
            "it was not installed with mca install: delete it with what it was made with "
            "(kubectl delete -f install.yaml)",
            _COMMAND,
        )
        return EXIT_FAILED
    tell(["nothing is installed"])
    return 0


def _find_labelled(kube: "Kube") -> list[tuple[str, str]]:
    """Names of namespaces, and the labels."""
    from webhook.resources.names import LABEL_BOUNDARY, LABEL_INJECTION, NAMESPACES_PATH

    found = {}
    for label in (f"{LABEL_INJECTION}=enabled", f"{LABEL_BOUNDARY}=enforced"):
        answer = kube.request("GET", NAMESPACES_PATH, query={"labelSelector": label})
        for item in answer.document["items"]:
            found[item["metadata"]["name"]] = label
    return sorted(found.items())


def _refuse(labelled: list[tuple[str, str]]) -> None:
    named = [f"  {name}: {label}" for name, label in labelled]
    complain(
        "\n".join(
            [
                "namespaces are labelled for MCA:",
                *named,
                "new pods there would get the real token again; take the labels off first "
                "(kubectl label namespace NAME mca.io/injection- mca.io/boundary-), or --force",
            ]
        ),
        _COMMAND,
    )


def _rank(there: "There") -> int:
    if there.kind in _FIRST:
        return _FIRST.index(there.kind)
    return len(_FIRST) + (1 if there.kind == _LAST else 0)


def _delete(kube: "Kube", path: str) -> None:
    from webhook.kube import KubeError

    try:
        kube.request("DELETE", path, query={"propagationPolicy": "Foreground"})
    except KubeError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _wait(kube: "Kube", paths: list[str], seconds: int) -> int:
    """Namespaces end when all in them has; what has a finalizer goes later, too."""
    deadline = time.monotonic() + seconds
    left = paths
    while left := [path for path in left if _is_there(kube, path)]:
        if time.monotonic() > deadline:
            complain(
                "still being deleted after "
                f"{seconds} s: {name_some(left)}\nkubectl get namespaces tells what it waits for",
                _COMMAND,
            )
            return EXIT_FAILED
        time.sleep(_POLL_S)
    tell(["nothing of it is left"])
    return 0


def name_some(paths: list[str]) -> str:
    """They wait for one of them, mostly: the first is the namespace."""
    others = len(paths) - _NAMED
    return ", ".join([*paths[:_NAMED], *([f"and {others} more"] if others > 0 else [])])


def _is_there(kube: "Kube", path: str) -> bool:
    from webhook.cli.install.objects_there import METADATA_ONLY
    from webhook.kube import KubeError

    try:
        kube.request("GET", path, accept=METADATA_ONLY)
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True
