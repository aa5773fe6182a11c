"""What is installed: complete, in order, and nothing that applying it again would reset."""

import dataclasses
import re
from typing import Any

import pytest

from webhook.admission.environment import TABLE, ServerSettings, parse_environment
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings

SIDECAR = f"registry.example.com/mca-sidecar@sha256:{'5' * 64}"
CONTROL = f"registry.example.com/mca-control@sha256:{'6' * 64}"
PLAIN = InstallSettings(sidecar_image=SIDECAR, control_image=CONTROL)
FULL = dataclasses.replace(PLAIN, service_monitor=True, dashboard=True)
CLUSTER_WIDE = {
    "Namespace", "ClusterRole", "ClusterRoleBinding", "FlowSchema",
    "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip


def find(objects: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    found = [
        each for each in objects if each["kind"] == kind and name in ("", each["metadata"]["name"])
    ]
    assert len(found) == 1, (kind, name, len(found))
    return found[0]


def find_pod(settings: InstallSettings) -> dict[str, Any]:
    pod = find(build_objects(settings), "Deployment")["spec"]["template"]["spec"]
    assert isinstance(pod, dict)
    return pod


def read_environment(settings: InstallSettings) -> dict[str, str]:
    return {each["name"]: each["value"] for each in find_pod(settings)["containers"][0]["env"][1:]}


@pytest.mark.parametrize("settings", [FULL, dataclasses.replace(FULL, cert_manager=True)])
def test_every_object_is_complete_and_labelled(settings: InstallSettings) -> None:
    seen = set()
    for each in build_objects(settings):
        metadata = each["metadata"]
        assert each["apiVersion"]
        assert metadata["labels"]["app.kubernetes.io/part-of"] == "mca"
        assert metadata["labels"]["app.kubernetes.io/name"] == "mca"
        assert metadata["name"].startswith("mca")
        assert metadata.get("namespace", "") == (
            "" if each["kind"] in CLUSTER_WIDE else "mca-system"
        )
        seen.add((each["kind"], metadata["name"]))
    assert len(seen) == len(build_objects(settings))


def test_they_come_in_the_order_in_which_they_are_needed() -> None:
    kinds = [each["kind"] for each in build_objects(FULL)]
    assert kinds[0] == "Namespace"
    assert kinds[-1] == "MutatingWebhookConfiguration"
    for earlier in ("ServiceAccount", "Role", "Secret", "ResourceQuota", "Service"):
        assert kinds.index(earlier) < kinds.index("Deployment")


def test_what_the_webhook_fills_in_is_not_named() -> None:
    objects = build_objects(PLAIN)
    secret = find(objects, "Secret")
    assert secret["metadata"]["name"] == "mca-webhook-ca"
    assert set(secret) == {"apiVersion", "kind", "metadata", "type"}
    for webhook in find(objects, "MutatingWebhookConfiguration")["webhooks"]:
        assert set(webhook["clientConfig"]) == {"service"}


def test_its_environment_is_what_the_process_reads() -> None:
    settings = dataclasses.replace(
        PLAIN,
        audiences=("vault", "sts.example.com"),
        sidecar_log_level="warning",
        sidecar_resources=PLAIN.sidecar_resources._replace(cpu_request="", cpu_limit="2"),
    )
    parsed = parse_environment(read_environment(settings))
    assert isinstance(parsed, ServerSettings), parsed
    assert parsed.injection.image == SIDECAR
    assert parsed.injection.log_level == "warning"
    assert parsed.injection.resources == settings.sidecar_resources
    assert parsed.injection.audiences == {"vault", "sts.example.com"}
    assert (parsed.host, parsed.port) == ("::", 8443)


def test_it_is_told_nothing_that_it_does_not_know() -> None:
    known = {setting.variable for setting in TABLE}
    assert {each["name"] for each in find_pod(PLAIN)["containers"][0]["env"]} <= known


def test_plain_settings_mean_the_defaults_of_the_process() -> None:
    ours = parse_environment(read_environment(PLAIN))
    plain = parse_environment({"MCA_SIDECAR_IMAGE": SIDECAR})
    assert isinstance(ours, ServerSettings)
    assert isinstance(plain, ServerSettings)
    assert ours.injection == plain.injection


def test_the_registration_leads_to_the_service_and_spares_the_namespace() -> None:
    objects = build_objects(dataclasses.replace(PLAIN, namespace="ops"))
    service = find(objects, "Service")
    selector = service["spec"]["selector"]
    template = find(objects, "Deployment")["spec"]["template"]
    assert selector.items() <= template["metadata"]["labels"].items()
    port = service["spec"]["ports"][0]
    assert port["targetPort"] in {
        each["name"] for each in template["spec"]["containers"][0]["ports"]
    }
    for webhook in find(objects, "MutatingWebhookConfiguration")["webhooks"]:
        address = dict(webhook["clientConfig"]["service"])
        address.pop("path")
        assert address == {"name": "mca-webhook", "namespace": "ops", "port": port["port"]}
        spared = webhook["namespaceSelector"]["matchExpressions"][0]
        assert spared["operator"] == "NotIn"
        assert "ops" in spared["values"]
    shown = str(find(objects, "ValidatingAdmissionPolicy", "mca-own-objects"))
    assert 'request.namespace != "ops"' in shown


def test_guards_trust_no_account_that_anybody_could_make() -> None:
    """An account that is missing in MCA's namespace would be whoever creates it there."""
    objects = build_objects(dataclasses.replace(PLAIN, namespace="ops"))
    guards = [each for each in objects if each["kind"] == "ValidatingAdmissionPolicy"]
    made = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    named = set(re.findall(r"system:serviceaccount:ops:([-a-z]+)", str(guards)))
    assert named == made == {"mca-webhook"}
    # And that one is only held to less than others.
    (guard,) = [each for each in guards if "mca-webhook" in str(each)]
    assert guard["metadata"]["name"] == "mca-registration"


def test_with_cert_manager_it_has_no_rights_and_no_token() -> None:
    objects = build_objects(dataclasses.replace(FULL, cert_manager=True))
    kinds = {each["kind"] for each in objects}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret"}
    pod = find_pod(dataclasses.replace(PLAIN, cert_manager=True))
    assert pod["automountServiceAccountToken"] is False
    assert pod["volumes"][0]["secret"]["secretName"] == "mca-webhook-tls"
    assert find(objects, "Certificate", "mca-webhook")["spec"]["secretName"] == "mca-webhook-tls"
    annotations = find(objects, "MutatingWebhookConfiguration")["metadata"]["annotations"]
    assert annotations == {"cert-manager.io/inject-ca-from": "mca-system/mca-webhook"}


def test_rights_name_each_object() -> None:
    """Not one star, and no right over what has no name."""
    objects = build_objects(PLAIN)
    for kind in ("Role", "ClusterRole"):
        for rule in find(objects, kind)["rules"]:
            assert rule["resourceNames"]
            assert "*" not in str(rule)
            assert set(rule["verbs"]) <= {"get", "watch", "update", "patch"}


def test_what_is_not_given_is_left_out() -> None:
    pod = find_pod(dataclasses.replace(PLAIN, priority_class=""))
    assert not {"nodeSelector", "tolerations", "imagePullSecrets", "priorityClassName"} & set(pod)
    without = build_objects(dataclasses.replace(PLAIN, priority_class=""))
    assert "ResourceQuota" not in {each["kind"] for each in without}


def test_what_is_given_is_there() -> None:
    pod = find_pod(
        dataclasses.replace(
            PLAIN,
            node_selector={"role": "ops"},
            tolerations=({"key": "ops", "operator": "Exists"},),
            pull_secrets=("registry",),
        )
    )
    assert pod["nodeSelector"] == {"role": "ops"}
    assert pod["tolerations"] == [{"key": "ops", "operator": "Exists"}]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = InstallSettings(
        sidecar_image="mca:latest",
        control_image="mca",
        previous_sidecar_images=("mca:old",),
        namespace="Not_One",
        admin_groups=("system:authenticated",),
        audiences=("a,b",),
        replicas=0,
        webhook_resources={"request": {}},
        priority_class="High!",
        pull_secrets=("",),
        sidecar_log_level="loud",
        sidecar_resources=PLAIN.sidecar_resources._replace(memory_limit="much"),
        api_server_ports=(),
    )
    with pytest.raises(ValueError, match="sidecar_image") as told:
        build_objects(wrong)
    for field in (
        "control_image", "previous_sidecar_images", "namespace", "admin_groups", "audiences",
        "replicas", "webhook_resources", "priority_class", "pull_secrets",
        "sidecar_log_level", "sidecar_resources.memory_limit", "api_server_ports",
    ):  # fmt: skip
        assert f"{field}: " in str(told.value), field


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_is_one(port: int) -> None:
    with pytest.raises(ValueError, match=f"api_server_ports: {port}"):
        build_objects(dataclasses.replace(PLAIN, api_server_ports=(6443, port)))
