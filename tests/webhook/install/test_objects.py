"""What is installed: complete, in order, and nothing that applying it again would reset."""

import dataclasses
import re
from typing import Any

import pytest

from webhook.admission.environment import TABLE, ServerSettings, parse_environment
from webhook.controller.engine.settings import (
    TABLE as CONTROLLER_TABLE,
    ControllerSettings,
    parse_environment as parse_controller,
)
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings

SIDECAR = f"registry.example.com/mca-sidecar@sha256:{'5' * 64}"
CONTROL = f"registry.example.com/mca-control@sha256:{'6' * 64}"
PLAIN = InstallSettings(sidecar_image=SIDECAR, control_image=CONTROL)
FULL = dataclasses.replace(PLAIN, service_monitor=True, dashboard=True)
CLUSTER_WIDE = {
    "Namespace", "ClusterRole", "ClusterRoleBinding", "FlowSchema", "CustomResourceDefinition",
    "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip


def find(objects: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    found = [
        each for each in objects if each["kind"] == kind and name in ("", each["metadata"]["name"])
    ]
    assert len(found) == 1, (kind, name, len(found))
    return found[0]


def find_pod(settings: InstallSettings, name: str = "mca-webhook") -> dict[str, Any]:
    pod = find(build_objects(settings), "Deployment", name)["spec"]["template"]["spec"]
    assert isinstance(pod, dict)
    return pod


def read_environment(settings: InstallSettings, name: str = "mca-webhook") -> dict[str, str]:
    """As the kubelet makes it."""
    fields = {"metadata.namespace": settings.namespace, "metadata.name": f"{name}-0"}
    return {
        each["name"]: each["value"]
        if "value" in each
        else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in find_pod(settings, name)["containers"][0]["env"]
    }


@pytest.mark.parametrize("settings", [FULL, dataclasses.replace(FULL, cert_manager=True)])
def test_every_object_is_complete_and_labelled(settings: InstallSettings) -> None:
    seen = set()
    for each in build_objects(settings):
        metadata = each["metadata"]
        assert each["apiVersion"]
        assert metadata["labels"]["app.kubernetes.io/part-of"] == "mca"
        assert metadata["labels"]["app.kubernetes.io/name"] == "mca"
        assert metadata["name"].startswith("mca") or each["kind"] == "CustomResourceDefinition"
        assert metadata.get("namespace", "") == (
            "" if each["kind"] in CLUSTER_WIDE else "mca-system"
        )
        seen.add((each["kind"], metadata["name"]))
    assert len(seen) == len(build_objects(settings))


def test_they_come_in_the_order_in_which_they_are_needed() -> None:
    kinds = [each["kind"] for each in build_objects(FULL)]
    assert kinds[:4] == ["Namespace", *["CustomResourceDefinition"] * 3]
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
    assert parsed.injection.policy == "controller"
    assert parsed.injection.broker == "https://mca-broker.mca-system.svc:8444"


@pytest.mark.parametrize(
    ("name", "table"), [("mca-webhook", TABLE), ("mca-controller", CONTROLLER_TABLE)]
)
def test_it_is_told_nothing_that_it_does_not_know(name: str, table: Any) -> None:
    known = {setting.variable for setting in table}
    assert {each["name"] for each in find_pod(PLAIN, name)["containers"][0]["env"]} <= known


def test_plain_settings_mean_the_defaults_of_the_process() -> None:
    ours = parse_environment(read_environment(PLAIN))
    plain = parse_environment({"MCA_SIDECAR_IMAGE": SIDECAR, "MCA_SIDECAR_POLICY": "controller"})
    assert isinstance(ours, ServerSettings)
    assert isinstance(plain, ServerSettings)
    assert ours.injection == plain.injection


def test_the_registration_leads_to_the_service_and_spares_the_namespace() -> None:
    objects = build_objects(dataclasses.replace(PLAIN, namespace="ops"))
    service = find(objects, "Service", "mca-webhook")
    port = service["spec"]["ports"][0]
    for webhook in find(objects, "MutatingWebhookConfiguration")["webhooks"]:
        address = dict(webhook["clientConfig"]["service"])
        address.pop("path")
        assert address == {"name": "mca-webhook", "namespace": "ops", "port": port["port"]}
        spared = webhook["namespaceSelector"]["matchExpressions"][0]
        assert spared["operator"] == "NotIn"
        assert "ops" in spared["values"]
    shown = str(find(objects, "ValidatingAdmissionPolicy", "mca-own-objects"))
    assert 'request.namespace != "ops"' in shown


@pytest.mark.parametrize(
    ("service", "deployment", "other"),
    [
        ("mca-webhook", "mca-webhook", "mca-controller"),
        ("mca-broker", "mca-controller", "mca-webhook"),
    ],
)
def test_each_service_leads_to_its_pods_alone(service: str, deployment: str, other: str) -> None:
    objects = build_objects(FULL)
    spec = find(objects, "Service", service)["spec"]
    template = find(objects, "Deployment", deployment)["spec"]["template"]
    ports = {each["name"] for each in template["spec"]["containers"][0]["ports"]}
    assert spec["ports"][0]["targetPort"] in ports
    assert spec["selector"].items() <= template["metadata"]["labels"].items()
    others = find(objects, "Deployment", other)["spec"]["template"]["metadata"]["labels"]
    assert not spec["selector"].items() <= others.items()
    for kind in ("NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor"):
        chosen = find(objects, kind, deployment)["spec"]
        chosen = chosen.get("podSelector") or chosen["selector"]
        assert chosen["matchLabels"] == spec["selector"]


def test_guards_trust_no_account_that_anybody_could_make() -> None:
    """An account that is missing in MCA's namespace would be whoever creates it there."""
    objects = build_objects(dataclasses.replace(PLAIN, namespace="ops"))
    guards = [each for each in objects if each["kind"] == "ValidatingAdmissionPolicy"]
    made = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    named = set(re.findall(r"system:serviceaccount:ops:([-a-z]+)", str(guards)))
    assert named == made == {"mca-webhook", "mca-controller"}
    # The webhook's is only held to less than others.
    account = "system:serviceaccount:ops:mca-webhook"
    (guard,) = [each for each in guards if account in str(each)]
    assert guard["metadata"]["name"] == "mca-registration"
    trusting = [each["metadata"]["name"] for each in guards if "mca-controller" in str(each)]
    assert trusting == [
        "mca-namespace-labels", "mca-own-objects", "mca-tenant-access", "mca-tenant-network",
        "mca-token-requests",
    ]  # fmt: skip


def test_more_accounts_can_be_trusted() -> None:
    home = "system:serviceaccount:mca-access:mca-home-1"
    objects = build_objects(dataclasses.replace(PLAIN, controllers=(home,)))
    shown = str(find(objects, "ValidatingAdmissionPolicy", "mca-own-objects"))
    assert f'["system:serviceaccount:mca-system:mca-controller", "{home}"]' in shown


@pytest.mark.parametrize(
    ("deployment", "certificate"),
    [("mca-webhook", "mca-webhook"), ("mca-controller", "mca-broker")],
)
def test_with_cert_manager_certificates_are_files(deployment: str, certificate: str) -> None:
    settings = dataclasses.replace(FULL, cert_manager=True)
    objects = build_objects(settings)
    assert "Secret" not in {each["kind"] for each in objects}
    for each in objects:
        if each["kind"] in ("Role", "ClusterRole"):
            assert "secrets" not in str(each.get("rules")) or "profile" in each["metadata"]["name"]
    secret = find(objects, "Certificate", certificate)["spec"]["secretName"]
    pod = find_pod(settings, deployment)
    assert pod["volumes"][0]["secret"]["secretName"] == secret
    assert pod["containers"][0]["volumeMounts"][0]["name"] == pod["volumes"][0]["name"]
    annotations = find(objects, "MutatingWebhookConfiguration")["metadata"]["annotations"]
    assert annotations == {"cert-manager.io/inject-ca-from": "mca-system/mca-webhook"}


def find_rules(
    account: str, settings: InstallSettings = PLAIN
) -> list[tuple[str, set[str], set[str]]]:
    """Of the account: resource, verbs and names."""
    return [
        (resource, set(rule["verbs"]), set(rule.get("resourceNames", ())))
        for each in build_objects(settings)
        if each["kind"] in ("Role", "ClusterRole") and each["metadata"]["name"].startswith(account)
        for rule in each.get("rules", ())
        for resource in rule["resources"]
    ]


def test_what_the_webhook_may_write_has_a_name() -> None:
    for resource, verbs, names in find_rules("mca-webhook"):
        assert resource != "*"
        assert names or verbs == {"list", "watch"}, resource
        assert verbs <= {"get", "list", "watch", "update", "patch"}


def test_only_where_profiles_are_read_the_controller_makes_clusters() -> None:
    """Who may make Clusters says where calls go."""

    def list_verbs(resource: str, settings: InstallSettings = PLAIN) -> set[str]:
        rules = find_rules("mca-controller", settings)
        return {verb for found, verbs, _ in rules if found == resource for verb in verbs}

    reading = dataclasses.replace(PLAIN, profile_namespaces=("fleet",))
    assert list_verbs("clusters") == {"get", "list", "watch"}
    assert list_verbs("clusterprofiles") == set()
    assert list_verbs("clusters", reading) == {"get", "list", "watch", "create", "patch"}
    assert list_verbs("clusterprofiles", reading) == {"get", "list", "watch"}
    binding = find(build_objects(reading), "ClusterRoleBinding", "mca-controller-profiles")
    assert [each["name"] for each in binding["subjects"]] == ["mca-controller"]


@pytest.mark.parametrize(
    ("resource", "used"),
    [
        ("events", {"create"}), ("leases", {"create", "get", "update"}),
        ("clusters/status", {"patch"}), ("tenants/status", {"patch"}), ("routes/status", {"patch"}),
    ],
)  # fmt: skip
def test_what_the_controller_only_tells_it_may_not_read_nor_change(
    resource: str, used: set[str]
) -> None:
    rules = find_rules("mca-controller")
    assert {verb for found, verbs, _ in rules if found == resource for verb in verbs} == used


@pytest.mark.parametrize("resource", ["secrets", "serviceaccounts/token", "clusterroles"])
def test_what_the_controller_may_do_only_by_name(resource: str) -> None:
    rules = [rule for rule in find_rules("mca-controller") if rule[0] == resource]
    assert rules
    assert all(names for _, _, names in rules)


def test_what_the_controller_may_not_do_at_all() -> None:
    """Run programs, become somebody, write roles or guards."""
    found = find_rules("mca-controller")
    assert {resource for resource, *_ in found}.isdisjoint(
        {"*", "roles", "clusterrolebindings", "pods/exec", "users", "groups", "deployments",
         "validatingadmissionpolicies", "mutatingwebhookconfigurations"}
    )  # fmt: skip
    verbs = {verb for _, each, _ in found for verb in each}
    assert verbs.isdisjoint({"*", "escalate", "impersonate", "deletecollection"})
    assert [each for resource, each, _ in found if resource == "pods"] == [{"get"}]


def test_tenants_write_routes_and_not_what_is_said_of_them() -> None:
    objects = build_objects(PLAIN)
    label = "rbac.authorization.k8s.io/aggregate-to-"
    granted: dict[str, set[tuple[str, str]]] = {"admin": set(), "edit": set(), "view": set()}
    for each in objects:
        for role, pairs in granted.items():
            if each["kind"] == "ClusterRole" and f"{label}{role}" in each["metadata"]["labels"]:
                (rule,) = each["rules"]
                assert rule["apiGroups"] == ["mca.io"]
                pairs |= {(kind, verb) for kind in rule["resources"] for verb in rule["verbs"]}
    assert granted["admin"] == granted["edit"]
    assert {("routes", "create"), ("routes", "list"), ("routes/status", "get")} <= granted["edit"]
    assert granted["view"] < granted["edit"]
    for kind, verb in granted["edit"]:
        assert kind == "routes" or verb in ("get", "list", "watch")
    assert {verb for _, verb in granted["view"]} == {"get", "list", "watch"}


def test_definitions_are_kept_when_all_else_goes() -> None:
    objects = build_objects(PLAIN)
    kept = [each for each in objects if each["kind"] == "CustomResourceDefinition"]
    assert {each["metadata"]["name"].partition(".")[0] for each in kept} == {
        "clusters", "tenants", "routes",
    }  # fmt: skip
    for each in objects:
        annotations = each["metadata"].get("annotations") or {}
        assert (annotations.get("helm.sh/resource-policy") == "keep") == (each in kept)


def test_the_controller_reads_what_it_is_told() -> None:
    settings = dataclasses.replace(
        PLAIN,
        namespace="ops",
        audiences=("vault",),
        member_audiences=("eu.example.com", "us.example.com"),
        profile_namespaces=("fleet",),
        earlier_sidecar_images=(CONTROL,),
    )
    told = parse_controller(read_environment(settings, "mca-controller"))
    assert isinstance(told, ControllerSettings), told
    assert (told.namespace, told.identity, told.port) == ("ops", "mca-controller-0", 8444)
    assert (
        told.service == find(build_objects(settings), "Service", "mca-broker")["metadata"]["name"]
    )
    assert told.sidecar_images == {SIDECAR, CONTROL}
    assert told.member_audiences == {"eu.example.com", "us.example.com"}
    assert told.token_audiences == {"vault"}
    assert told.profile_namespaces == ("fleet",)
    plain = parse_controller(read_environment(PLAIN, "mca-controller"))
    assert isinstance(plain, ControllerSettings), plain
    assert not plain.member_audiences
    assert not plain.profile_namespaces


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
        controllers=("a\nb",),
        member_audiences=("mca.io/cluster/1", "https://kubernetes.default.svc"),
        profile_namespaces=("Fleet",),
        earlier_sidecar_images=("mca:older",),
        replicas=0,
        controller_replicas=51,
        webhook_resources={"request": {}},
        controller_resources={"limit": {}},
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
        "replicas", "webhook_resources", "priority_class", "pull_secrets", "controllers",
        "member_audiences", "profile_namespaces", "earlier_sidecar_images", "controller_replicas",
        "controller_resources",
        "sidecar_log_level", "sidecar_resources.memory_limit", "api_server_ports",
    ):  # fmt: skip
        assert f"{field}: " in str(told.value), field


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_is_one(port: int) -> None:
    with pytest.raises(ValueError, match=f"api_server_ports: {port}"):
        build_objects(dataclasses.replace(PLAIN, api_server_ports=(6443, port)))
