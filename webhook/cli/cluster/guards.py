"""Owns how `mca cluster add` brings our guards and webhook to a member, or tells that they lack.

An installation that is there keeps its settings. Must not know what is installed: `mca install`
does.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from webhook.admission.names import LABEL_BOUNDARY
from webhook.cli.arguments import tell
from webhook.cli.cluster.steps import StepError
from webhook.cli.install.course import Course, InstallError
from webhook.cli.install.objects_there import list_metadata
from webhook.cli.install.paths import find_collection
from webhook.cli.install.place import find_api_ports
from webhook.cli.stored import list_documents
from webhook.guards.reading import UnreadableError, read_guard_settings
from webhook.guards.settings import DEFAULT_ADMIN_GROUPS, GuardSettings
from webhook.install.settings import InstallSettings, list_problems
from webhook.kube import Kube
from webhook.resources.names import CONTROLLER, LABEL_HOME

_POLICIES: Final = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
_ROLE_BINDINGS: Final = "/apis/rbac.authorization.k8s.io/v1/rolebindings"
_READY_S: Final = 180
_OURS: Final = "app.kubernetes.io/name=mca"


def add_guard_options(parser: argparse.ArgumentParser) -> None:
    """The least that an installation takes; for more there is `mca install --context`."""
    group = parser.add_argument_group("guards and webhook on the member")
    group.add_argument("--sidecar-image", metavar="IMAGE@DIGEST", help="what pods get there")
    group.add_argument("--control-image", metavar="IMAGE@DIGEST", help="what the webhook runs in")
    group.add_argument(
        "--admin-user", metavar="USER", action="append", default=[],
        help="who may label namespaces there; may be given again",
    )  # fmt: skip
    groups = ", ".join(DEFAULT_ADMIN_GROUPS)
    group.add_argument(
        "--admin-group", metavar="GROUP", action="append", default=[],
        help=f"the same for a group; else {groups}",
    )  # fmt: skip


def settle_guards(member: Kube, given: argparse.Namespace, account: str, home_uid: str) -> None:
    """Install them where images are given, and tell what lacks."""
    there = find_guards(member)
    if given.sidecar_image:
        install_guards(member, choose_settings(given, there, account), given.wait and _READY_S)
    else:
        tell_guards(there, account, given.context)
    if given.sidecar_image or there:
        tell_open_namespaces(member, home_uid, given.name, given.context)


def find_guards(member: Kube) -> GuardSettings | None:
    """What the guards there were made with; None: there are none, or none that can be read."""
    policies = {
        str(item["metadata"]["name"]): item
        for item in list_documents(member, _POLICIES, labelSelector=_OURS)
    }
    try:
        return read_guard_settings(policies)
    except (UnreadableError, KeyError):
        return None


def choose_settings(
    given: argparse.Namespace, there: GuardSettings | None, account: str
) -> InstallSettings:
    """What was given, else what is there; the home's account is trusted beside."""
    settings = InstallSettings(
        sidecar_image=given.sidecar_image,
        control_image=given.control_image,
        admin_users=tuple(given.admin_user),
        admin_groups=tuple(given.admin_group or DEFAULT_ADMIN_GROUPS),
        controllers=(account,),
    )
    if there is None:
        return settings
    own = f"system:serviceaccount:{there.system_namespace}:{CONTROLLER}"
    others = (user for user in (*there.controllers, account) if user != own)
    named = given.admin_user or given.admin_group
    return replace(
        settings,
        namespace=there.system_namespace,
        audiences=there.audiences,
        controllers=tuple(dict.fromkeys(others)),
        admin_users=settings.admin_users if named else there.admin_users,
        admin_groups=settings.admin_groups if named else there.admin_groups,
    )


def install_guards(member: Kube, settings: InstallSettings, wait_s: int) -> None:
    """As `mca install` does it."""
    if problems := list_problems(settings):
        raise StepError("\n".join(problems))
    ports = {*settings.api_server_ports, *find_api_ports(member)}
    course = Course(member, replace(settings, api_server_ports=tuple(sorted(ports))), force=False)
    try:
        course.examine()
        course.apply()
        if wait_s:
            course.wait(wait_s)
            course.settle()
            course.prune()
    except InstallError as error:
        raise StepError(str(error)) from None


def tell_guards(there: GuardSettings | None, account: str, context: str) -> None:
    """What it means that they are not there, or do not know the account."""
    if there is not None and account in there.controllers:
        return
    install = (
        f"  mca install --context {context} --sidecar-image … --control-image … \\",
        f"    --controller {account}",
    )
    if there is None:
        _say(
            "the member has no guards and no webhook of MCA: it is not enforced. Whoever may",
            "create pods there can use its service accounts, so routes of tenants with a boundary",
            "lead no pods, workloads, secrets or service accounts to it. To change that, run this",
            "again with --sidecar-image and --control-image, or",
            *install,
        )
    else:
        _say(
            f"the guards there do not know {account}: in enforced namespaces it gets no tokens and",
            "writes nothing. To change that:",
            *install,
        )


def tell_open_namespaces(member: Kube, home_uid: str, name: str, context: str) -> None:
    """Guards hold where a namespace has its label: those that were allowed before have none."""
    allowed = {
        str(metadata["namespace"])
        for metadata in list_metadata(member, _ROLE_BINDINGS, f"{LABEL_HOME}={home_uid}")
    }
    path = find_collection("v1", "Namespace", "")
    labelled = {
        str(metadata["name"])
        for metadata in list_metadata(member, path, f"{LABEL_BOUNDARY}=enforced")
    }
    if left := sorted(allowed - labelled):
        _say(
            f"in {', '.join(left)} the guards do not hold: the namespace has no label of a",
            "boundary there. For tenants with a boundary, run this again for each:",
            f"  mca cluster allow {name} --context {context} --tenant … -n {left[0]}",
        )


def _say(*lines: str) -> None:
    first, *others = lines
    tell([f"  note: {first}", *(f"        {line}" for line in others)])


def list_missing_options(given: argparse.Namespace) -> Sequence[str]:
    """One image without the other."""
    pair = {"--sidecar-image": given.sidecar_image, "--control-image": given.control_image}
    missing = [name for name, image in pair.items() if not image]
    return missing if len(missing) == 1 else ()
