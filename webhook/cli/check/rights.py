"""Owns the checks of rights: what our accounts need, what they must not have, who labels.

Must not ask the API server: the answers are facts.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from webhook.admission.outcome import RawObject
from webhook.cli.check.facts import Facts, Right
from webhook.cli.check.finding import Finding, Reporter, UndecidedError, list_some
from webhook.install.names import WEBHOOK
from webhook.resources.names import CONTROLLER

GROUP: Final = "rights"
_ACCOUNTS: Final = (WEBHOOK, CONTROLLER)
# Enough to see that somebody has bound one to more than it needs.
EXCESSES: Final = tuple(
    right._replace(account=account)
    for account in _ACCOUNTS
    for right in (
        Right("list", "secrets"),
        Right("create", "pods"),
        Right("create", "serviceaccounts/token"),
        Right("patch", "validatingadmissionpolicies", "admissionregistration.k8s.io"),
    )
)


def list_rights(objects: Iterable[RawObject]) -> Iterator[Right]:
    """What the roles of our accounts grant, which are called as they are."""
    for item in objects:
        name = item["metadata"].get("name")
        if item["kind"] in ("Role", "ClusterRole") and name in _ACCOUNTS:
            namespace = item["metadata"].get("namespace") or ""
            for rule in item.get("rules") or ():
                for right in _list_of_rule(rule, namespace):
                    yield right._replace(account=name)


def _list_of_rule(rule: RawObject, namespace: str) -> Iterator[Right]:
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for name in rule.get("resourceNames") or ("",):
                for verb in rule["verbs"]:
                    yield Right(verb, resource, group, name, namespace)


def check_needs(facts: Facts) -> Iterator[Finding]:
    """Without them certificates are not renewed, and nothing that admins state is done."""
    for account in _ACCOUNTS:
        report = Reporter(GROUP, f"{account.removeprefix('mca-')}-needs")
        rights = {right: told for right, told in facts.rights.items() if right.account == account}
        if not rights:
            continue
        if refused := [str(right) for right in _list_answered(rights, allowed=False)]:
            yield report.fail(
                f"the account {account} may not {list_some(refused)}",
                "run `mca install` again, or upgrade the chart: its roles and bindings",
            )
        else:
            yield report.ok(f"the account {account} has the {len(rights)} rights it needs")


def check_excesses(facts: Facts) -> Iterator[Finding]:
    """Whoever has a pod of ours would have them too."""
    for account in _ACCOUNTS:
        report = Reporter(GROUP, f"{account.removeprefix('mca-')}-excess")
        rights = {right: told for right, told in facts.excesses.items() if right.account == account}
        if not rights:
            continue
        if granted := [str(right) for right in _list_answered(rights, allowed=True)]:
            yield report.warn(
                f"the account {account} may {list_some(granted)}",
                "it needs none of these: take out the binding that gives them",
            )
        else:
            yield report.ok(f"the account {account} has no right that only others should have")


def _list_answered(rights: Mapping[Right, bool | str], *, allowed: bool) -> list[Right]:
    for answer in rights.values():
        if isinstance(answer, str):
            raise UndecidedError(answer)
    return [right for right, answer in rights.items() if answer is allowed]


def check_labelling(facts: Facts) -> Iterator[Finding]:
    """Whether whoever asks may label namespaces: by RBAC, and by the guards' list of admins."""
    report = Reporter(GROUP, "labelling")
    attempt = facts.labelling
    if attempt is None:
        return
    if attempt.document is not None:
        yield report.ok("you may label namespaces")
    elif "mca-namespace-labels" in attempt.message:
        yield report.warn(
            "the guards do not know you as an admin: you cannot label namespaces",
            "ask one, or name yourself to `mca install` with --admin-user or --admin-group",
        )
    else:
        yield report.unknown(
            f"whether you may label namespaces: {attempt.message}",
            "run this as somebody who may create namespaces",
        )


CHECKS: Final = (check_needs, check_excesses, check_labelling)
