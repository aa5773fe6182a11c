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
    role = {"kind": "Role", "metadata": {"namespace": "one"}, "rules": [rule, named]}
    found = list(list_rights([role, {"kind": "Service"}, {"kind": "ClusterRole", "metadata": {}}]))
    assert list(map(str, found)) == [
        "get a in one",
        "list a in one",
        "get a.x.io in one",
        "list a.x.io in one",
        "get b.y.io/n in one",
    ]


def test_the_webhooks_account() -> None:
    facts = make_facts()
    assert only(check_needs(facts)).message.endswith(f"has the {len(facts.rights)} rights it needs")
    assert only(check_excesses(facts)).status.value == "ok"
    first, *_ = facts.rights
    refused = replace(facts, rights={**facts.rights, first: False})
    assert only(check_needs(refused)).message == f"the account mca-webhook may not {first}"
    wide = replace(facts, excesses={Right("list", "secrets"): True})
    assert only(check_excesses(wide)).message == "the account mca-webhook may list secrets"
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
