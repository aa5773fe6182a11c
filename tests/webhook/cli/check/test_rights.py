"""What is said of rights: of the webhook's account, and of whoever asks."""

from dataclasses import replace

import pytest

from tests.webhook.cli.check.scene import make_facts, only
from webhook.cli.check.facts import Attempt, Right
from webhook.cli.check.finding import UndecidedError
from webhook.cli.check.rights import check_excesses, check_labelling, check_needs, list_rights


def test_rights_of_rules() -> None:
    rule = {"apiGroups": ["", "x.io"], "resources": ["a"], "verbs": ["get", "list"]}
    named = {"apiGroups": ["y.io"], "resources": ["b"], "verbs": ["get"], "resourceNames": ["n"]}
    metadata = {"name": "mca-controller", "namespace": "one"}
    role = {"kind": "Role", "metadata": metadata, "rules": [rule, named]}
    other = {"kind": "ClusterRole", "metadata": {"name": "mca-policy-reader"}, "rules": [rule]}
    empty = {"kind": "ClusterRole", "metadata": {"name": "mca-webhook"}}
    found = list(list_rights([role, {"kind": "Service", "metadata": {}}, other, empty]))
    assert {right.account for right in found} == {"mca-controller"}
    assert list(map(str, found)) == [
        "get a in one",
        "list a in one",
        "get a.x.io in one",
        "list a.x.io in one",
        "get b.y.io/n in one",
    ]


@pytest.mark.parametrize("account", ["mca-webhook", "mca-controller"])
def test_an_account(account: str) -> None:
    facts = make_facts()
    own = [right for right in facts.rights if right.account == account]
    told = f"the account {account} has the {len(own)} rights it needs"
    assert (told, "ok") in [(each.message, each.status.value) for each in check_needs(facts)]
    assert {each.status.value for each in check_excesses(facts)} == {"ok"}
    refused = replace(facts, rights={own[0]: False})
    assert only(check_needs(refused)).message == f"the account {account} may not {own[0]}"
    wide = replace(facts, excesses={Right("list", "secrets", account=account): True})
    assert only(check_excesses(wide)).message == f"the account {account} may list secrets"
    assert only(check_excesses(wide)).status.value == "warn"


def test_nothing_is_asked_where_nothing_is_installed() -> None:
    facts = replace(make_facts(), rights={}, excesses={}, labelling=None)
    for check in (check_needs, check_excesses, check_labelling):
        assert list(check(facts)) == []


def test_rights_that_may_not_be_asked_for() -> None:
    facts = replace(make_facts(), rights={Right("get", "secrets"): "forbidden"})
    with pytest.raises(UndecidedError, match="forbidden"):
        list(check_needs(facts))


@pytest.mark.parametrize(
    ("attempt", "status"),
    [
        (Attempt(201, {}), "ok"),
        (Attempt(403, None, "ValidatingAdmissionPolicy 'mca-namespace-labels' denied"), "warn"),
        (Attempt(403, None, 'namespaces is forbidden: User "eve" cannot create'), "unknown"),
    ],
)
def test_whoever_asks(attempt: Attempt, status: str) -> None:
    finding = only(check_labelling(replace(make_facts(), labelling=attempt)))
    assert finding.status.value == status
    assert bool(finding.hint) is (status != "ok")
