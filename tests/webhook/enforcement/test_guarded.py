"""When a cluster counts as guarded: only with every guard and the webhook as MCA makes them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from webhook.admission.registration import build_registration
from webhook.enforcement.guarded import GUARD_NAMES, Stored, find_lack
from webhook.guards.rendering import render_manifests
from webhook.guards.settings import GuardSettings

IMAGE = f"registry.example.com/mca@sha256:{'a' * 64}"
SETTINGS = GuardSettings(image=IMAGE, admin_users=("root",), audiences=("vault",))


def make_stored() -> Stored:
    """As `mca install` leaves it, with the webhook's caBundle."""
    manifests = copy.deepcopy(render_manifests(SETTINGS))
    address = {"service": {"name": "mca-webhook", "namespace": "mca-system", "port": 443}}
    return Stored(
        tuple(each for each in manifests if each["kind"] == "ValidatingAdmissionPolicy"),
        tuple(each for each in manifests if each["kind"] == "ValidatingAdmissionPolicyBinding"),
        copy.deepcopy(build_registration(address, "Q0E=", ("mca-system",))),
    )


def spoil(change: Callable[[Any], object]) -> Stored:
    stored = make_stored()
    change(stored)
    return stored


def find(items: Any, name: str) -> Any:
    return next(item for item in items if item["metadata"]["name"] == name)


def test_as_it_is_made() -> None:
    assert find_lack(make_stored()) is None


@pytest.mark.parametrize("name", GUARD_NAMES)
def test_every_guard_and_its_binding_counts(name: str) -> None:
    stored = make_stored()
    for part in ("policies", "bindings"):
        left: dict[str, Any] = {
            part: tuple(each for each in getattr(stored, part) if each["metadata"]["name"] != name)
        }
        lack = find_lack(stored._replace(**left))
        assert lack is not None
        assert lack.reason == "GuardsMissing"
        assert name in lack.message


@pytest.mark.parametrize(
    ("change", "reason", "told"),
    [
        (lambda s: find(s.policies, "mca-exec")["spec"]["validations"].pop(),
         "GuardsDiffer", "mca-exec: validations"),
        (lambda s: find(s.policies, "mca-exec")["spec"].update(failurePolicy="Ignore"),
         "GuardsDiffer", "mca-exec: failurePolicy"),
        (lambda s: find(s.bindings, "mca-exec")["spec"].update(validationActions=["Audit"]),
         "GuardsDiffer", "mca-exec: validationActions"),
        (lambda s: find(s.bindings, "mca-exec")["spec"].update(
            matchResources={"namespaceSelector": {"matchLabels": {"a": "b"}}}),
         "GuardsDiffer", "mca-exec: matchResources"),
        (lambda s: find(s.policies, "mca-final-pods")["spec"].update(validations=[]),
         "GuardsDiffer", "does not say which image"),
        (lambda s: [each["spec"].update(failurePolicy="Ignore") for each in s.policies],
         "GuardsDiffer", " more"),
        (lambda s: s.registration["webhooks"].pop(), "WebhookDiffers", "standard.inject.mca.io"),
        (lambda s: s.registration["webhooks"][0].update(failurePolicy="Ignore"),
         "WebhookDiffers", "failurePolicy"),
        (lambda s: s.registration["webhooks"][0]["clientConfig"].update(caBundle=""),
         "WebhookUntrusted", "caBundle is empty"),
    ],
)  # fmt: skip
def test_what_was_changed_is_told(change: Callable[[Any], object], reason: str, told: str) -> None:
    lack = find_lack(spoil(change))
    assert lack is not None
    assert lack.reason == reason
    assert told in lack.message


def test_guards_alone_are_not_enough() -> None:
    lack = find_lack(make_stored()._replace(registration=None))
    assert lack is not None
    assert lack.reason == "WebhookMissing"
