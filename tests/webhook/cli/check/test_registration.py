"""What is said of the webhook's registration, its CA bundle, and the way to it."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from tests.webhook.cli.check.scene import make_bundle, make_facts, only, spoil
from webhook.cli.check.facts import Attempt, Facts, Fetched
from webhook.cli.check.registration import check_bundle, check_page, check_registration


def with_bundle(*bundles: str) -> Facts:
    def change(registration: Any) -> None:
        for webhook, bundle in zip(registration["webhooks"], bundles * 3, strict=False):
            webhook["clientConfig"]["caBundle"] = bundle

    return spoil(make_facts(), "registration", change)


def test_as_it_is_made() -> None:
    assert only(check_registration(make_facts())).status.value == "ok"


def test_there_is_none() -> None:
    facts = replace(make_facts(), registration=Fetched())
    assert only(check_registration(facts)).message == "there is no MutatingWebhookConfiguration mca"
    assert list(check_bundle(facts)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r["webhooks"].pop(0), "mca has no webhook enforced.inject.mca.io"),
        (lambda r: r["webhooks"][0].update(failurePolicy="Ignore"),
         "mca was changed: enforced.inject.mca.io: failurePolicy"),
        (lambda r: r["webhooks"][2].update(objectSelector={"matchLabels": {"a": "b"}}),
         "mca was changed: standard.inject.mca.io: objectSelector"),
        (lambda r: r["webhooks"][0]["namespaceSelector"]["matchExpressions"][0].update(values=[]),
         "enforced.inject.mca.io: namespaceSelector.matchExpressions[0].values"),
        (lambda r: r["webhooks"][1]["clientConfig"]["service"].update(path="/inject/standard"),
         "optional.inject.mca.io: clientConfig.service.path"),
        (lambda r: r["webhooks"].append({"name": "x", "clientConfig": {}}), "x is not MCA's"),
    ],
)  # fmt: skip
def test_what_was_changed_is_named(change: Any, told: str) -> None:
    finding = only(check_registration(spoil(make_facts(), "registration", change)))
    assert finding.status.value == "fail"
    assert told in finding.message
    assert "mca install" in finding.hint


def test_an_address_outside_the_cluster() -> None:
    def change(registration: Any) -> None:
        for webhook, mode in zip(
            registration["webhooks"], ("enforced", "optional", "standard"), strict=True
        ):
            address = {"url": f"https://webhook.example.com/inject/{mode}", "caBundle": "x"}
            webhook["clientConfig"] = address

    assert (
        only(check_registration(spoil(make_facts(), "registration", change))).status.value == "ok"
    )


@pytest.mark.parametrize(
    ("bundles", "status", "told"),
    [
        ((make_bundle(60),), "ok", "CA certificates in it: 1, valid until 2027-01-20 12:00 UTC"),
        ((make_bundle(3, 60),), "ok", "CA certificates in it: 2"),
        ((make_bundle(-1, 60),), "ok", "CA certificates in it: 1"),
        ((make_bundle(-3, -1),), "fail", "none of its 2 CA certificates is valid now"),
        ((make_bundle(3),), "warn", "the last CA certificate ends on 2026-11-24 12:00 UTC"),
        (("",), "fail", "the caBundle is empty"),
        ((make_bundle(60), make_bundle(61)), "fail", "different caBundles"),
        (("bm90IGEgY2VydA==",), "fail", "no certificates that can be read"),
        (("%%%",), "fail", "no certificates that can be read"),
    ],
)
def test_bundle(bundles: tuple[str, ...], status: str, told: str) -> None:
    finding = only(check_bundle(with_bundle(*bundles)))
    assert finding.status.value == status
    assert told in finding.message


def test_a_bundle_never_shows_what_it_holds() -> None:
    text = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nc2VjcmV0\n").decode()
    assert text not in str(list(check_bundle(with_bundle(text))))


def test_the_page_is_tried_where_no_pod_is() -> None:
    facts = make_facts()
    assert list(check_page(facts)) == []
    assert only(check_page(replace(facts, page=Attempt(200)))).status.value == "ok"
    unknown = replace(facts, page=Attempt(403, None, "services is forbidden"))
    assert only(check_page(unknown)).status.value == "unknown"
    refused = replace(facts, page=Attempt(503, None, "no endpoints available"))
    assert "no endpoints available" in only(check_page(refused)).message
