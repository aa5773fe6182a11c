"""What is said of guards that were changed, are missing, or fit another image."""

from dataclasses import replace
from typing import Any

import pytest

from tests.webhook.cli.check.scene import CONTROL, SETTINGS, SIDECAR, make_facts, only, spoil, tell
from webhook.cli.check.facts import Facts
from webhook.cli.check.guards import check_guards, check_types
from webhook.guards.reading import UnreadableError, read_guard_settings
from webhook.guards.rendering import render_manifests
from webhook.guards.settings import GuardSettings

ODD = GuardSettings(
    image=SIDECAR,
    previous_images=(CONTROL,),
    admin_users=('a "quoted" user', "back\\slash", "kubelet]"),
    admin_groups=("ops", "größer"),
    controllers=("system:serviceaccount:mca:one", "two"),
    system_namespace="mca",
    audiences=("vault", "sts[0]"),
)


def by_name(settings: GuardSettings) -> dict[str, Any]:
    return {
        item["metadata"]["name"]: item
        for item in render_manifests(settings)
        if item["kind"] == "ValidatingAdmissionPolicy"
    }


@pytest.mark.parametrize("settings", [ODD, GuardSettings(image=SIDECAR)])
def test_settings_are_read_back(settings: GuardSettings) -> None:
    assert read_guard_settings(by_name(settings)) == settings


@pytest.mark.parametrize(
    ("guard", "change", "told"),
    [
        ("mca-namespace-labels", lambda spec: spec.pop("variables"), "not say who is an admin"),
        ("mca-namespace-labels", lambda spec: spec["variables"][0].update(expression="true"),
         "who is an admin"),
        ("mca-final-pods", lambda spec: spec.pop("validations"), "which image"),
        ("mca-final-pods", lambda spec: [each.update(
            expression=each["expression"].replace("image in [", "image in (["))
            for each in spec["validations"]], "not say which image"),
        ("mca-own-objects", lambda spec: spec["matchConditions"].pop(), "not say where MCA is"),
        ("mca-token-requests", lambda spec: spec["validations"].clear(), "not say which audiences"),
        ("mca-token-requests", lambda spec: spec["validations"][0].update(
            expression="x.all(audience, audience in [1])"), "which audiences are"),
        ("mca-token-requests", lambda spec: spec["validations"][0].update(
            expression="x.all(audience, audience in [a"), "which audiences"),
    ],
)  # fmt: skip
def test_a_guard_that_does_not_say(guard: str, change: Any, told: str) -> None:
    policies = by_name(ODD)
    change(policies[guard]["spec"])
    with pytest.raises(UnreadableError, match=told):
        read_guard_settings(policies)


def test_settings_that_no_guard_should_have() -> None:
    policies = by_name(ODD)
    (variable, *_) = policies["mca-namespace-labels"]["spec"]["variables"]
    variable["expression"] = variable["expression"].replace("ops", "system:authenticated")
    with pytest.raises(UnreadableError, match="holds tenants too"):
        read_guard_settings(policies)


def test_all_in_order() -> None:
    facts = make_facts(settings=replace(SETTINGS, admin_users=("eve",), audiences=("vault",)))
    guards, *rest = tell(check_guards(facts))
    admins = "eve, system:masters, kubeadm:cluster-admins"
    assert guards[2] == f"{len(by_name(ODD))} are as MCA makes them; admins: {admins}"
    assert rest == [
        ("image", "ok", "the webhook puts in the image that they demand"),
        ("audiences", "ok", "listed: vault"),
    ]  # fmt: skip
    assert list(check_types(facts)) == []


def named(items: list[Any], name: str) -> Any:
    return next(item for item in items if item["metadata"]["name"] == name)


@pytest.mark.parametrize(
    ("field", "change", "told"),
    [
        ("policies", lambda found: found["items"].pop(), "not there, policy or binding: mca-"),
        ("bindings", lambda found: found["items"].pop(0), "not there, policy or binding: mca-"),
        ("policies", lambda found: named(found["items"], "mca-exec")["spec"].update(
            failurePolicy="Ignore"), "was changed: mca-exec: failurePolicy"),
        ("policies", lambda found: named(found["items"], "mca-exec")["spec"]["validations"][0]
         .update(expression="true"), "was changed: mca-exec: validations[0].expression"),
        ("policies", lambda found: named(found["items"], "mca-exec")["spec"].update(
            matchConditions=[{"name": "x", "expression": "false"}]), "mca-exec: matchConditions"),
        ("policies", lambda found: named(found["items"], "mca-exec")["spec"]["matchConstraints"]
         .update(excludeResourceRules=[{"resources": ["*"]}]), "excludeResourceRules"),
        ("bindings", lambda found: named(found["items"], "mca-exec")["spec"].update(
            validationActions=["Warn"]), "was changed: binding mca-exec: validationActions"),
        ("bindings", lambda found: named(found["items"], "mca-exec")["spec"].update(
            matchResources={"namespaceSelector": {"matchLabels": {"a": "b"}}}),
         "binding mca-exec: matchResources"),
    ],
)  # fmt: skip
def test_what_was_changed_is_named(field: str, change: Any, told: str) -> None:
    finding = only(check_guards(spoil(make_facts(), field, change)))
    assert finding.status.value == "fail"
    assert told in finding.message


def set_variable(facts: Facts, name: str, text: str) -> Facts:
    def change(deployment: Any) -> None:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        container["env"] = [each for each in container["env"] if each["name"] != name]
        container["env"].append({"name": name, "value": text})

    return spoil(facts, "deployment", change)


def test_another_image_than_the_webhooks() -> None:
    _, image, _ = check_guards(set_variable(make_facts(), "MCA_SIDECAR_IMAGE", CONTROL))
    assert image.status.value == "fail"
    assert f"the webhook puts in {CONTROL}, the guards demand {SIDECAR}" in image.message


def test_other_audiences_than_the_webhooks() -> None:
    *_, audiences = check_guards(set_variable(make_facts(), "MCA_TOKEN_AUDIENCES", "vault"))
    assert (audiences.status.value, audiences.message) == (
        "warn", "the webhook lists the audiences vault, the guards none",
    )  # fmt: skip


def test_settings_that_are_told_elsewhere_are_not_told_here() -> None:
    facts = set_variable(make_facts(), "MCA_SIDECAR_IMAGE", "mca:1")
    assert [each.check for each in check_guards(facts)] == ["policies"]


def test_what_the_api_server_warns_of() -> None:
    status = {"typeChecking": {"expressionWarnings": [{"fieldRef": "x", "warning": "y"}]}}
    facts = spoil(make_facts(), "policies", lambda found: found["items"][0].update(status=status))
    assert only(check_types(facts)).status.value == "warn"
