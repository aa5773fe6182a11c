"""Who may have a credential: every way in which pod, namespace, Tenant or Cluster are not right."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.webhook.controller.broker.examples import (
    BROKER,
    IDENTITY,
    IMAGE,
    INJECTION,
    TRUST,
    make_cluster,
    make_namespace,
    make_pod,
    make_tenant,
)
from webhook.controller.broker.grants import (
    find_tenant_name,
    judge_boundary,
    judge_cluster,
    judge_holder,
    judge_pod,
)
from webhook.controller.broker.refusals import RefusedError
from webhook.resources.tenants import Tenant, parse_tenant

Raw = dict[str, Any]
OTHER_IMAGE = f"registry.example.com/evil@sha256:{'6' * 64}"


def refused(judge: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as error:
        judge()
    return error.value.rule


def spoil(change: Callable[[Raw], object]) -> Raw:
    pod = copy.deepcopy(make_pod())
    change(pod)
    return pod


def sidecar(pod: Raw) -> Raw:
    found: Raw = pod["spec"]["initContainers"][0]
    return found


def variable(pod: Raw, name: str) -> Raw:
    return next(item for item in sidecar(pod)["env"] if item["name"] == name)


def test_an_injected_pod_is_trusted() -> None:
    judge_pod(make_pod(), IDENTITY, TRUST)
    waiting = make_pod()
    waiting["status"] = {"phase": "Pending"}
    judge_pod(waiting, IDENTITY, TRUST)
    ending = make_pod()
    ending["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
    judge_pod(ending, IDENTITY, TRUST)


PODS: dict[str, tuple[str, Callable[[Raw], object]]] = {
    "another uid": ("pod", lambda pod: pod["metadata"].update(uid="other")),
    "another name": ("pod", lambda pod: pod["metadata"].update(name="web-1")),
    "another namespace": ("pod", lambda pod: pod["metadata"].update(namespace="team-b")),
    "done": ("pod", lambda pod: pod["status"].update(phase="Succeeded")),
    "failed": ("pod", lambda pod: pod["status"].update(phase="Failed")),
    "another account": ("pod", lambda pod: pod["spec"].update(serviceAccountName="b")),
    "no sidecar": ("not-injected", lambda pod: pod["spec"].update(initContainers=[])),
    "not first": ("not-injected", lambda pod: pod["spec"]["initContainers"].insert(0, {
        "name": "setup", "image": "app"})),
    "another image": ("not-injected", lambda pod: sidecar(pod).update(image=OTHER_IMAGE)),
    "a tag": ("not-injected", lambda pod: sidecar(pod).update(image="registry.example.com/mca:1")),
    "a command": ("not-injected", lambda pod: sidecar(pod).update(command=["sh"])),
    "another broker": ("not-injected", lambda pod: variable(pod, "MCA_BROKER").update(
        value="https://evil.team-a.svc:8444")),
    "another snapshot": ("not-injected", lambda pod: variable(pod, "MCA_SNAPSHOT").update(
        value="/tmp/own")),
    "reads the token": ("not-injected", lambda pod: pod["spec"]["containers"][0].setdefault(
        "volumeMounts", []).append({"name": "mca-broker", "mountPath": "/broker"})),
    "a debugger": ("not-injected", lambda pod: pod["spec"].update(ephemeralContainers=[
        {"name": "debug", "image": "app", "targetContainerName": "mca"}])),
    "shared processes": ("not-injected", lambda pod: pod["spec"].update(
        shareProcessNamespace=True)),
    "a token of its own": ("not-injected", lambda pod: pod["spec"]["volumes"].append(
        {"name": "own", "projected": {"sources": [{"serviceAccountToken": {
            "path": "token", "audience": "mca.io/broker"}}]}})),
    "a path of the node": ("not-injected", lambda pod: pod["spec"]["volumes"].append(
        {"name": "node", "hostPath": {"path": "/"}})),
}  # fmt: skip


@pytest.mark.parametrize("case", PODS)
def test_another_pod_is_not(case: str) -> None:
    rule, change = PODS[case]
    assert refused(lambda: judge_pod(spoil(change), IDENTITY, TRUST)) == rule


def test_a_pod_that_is_gone_is_not() -> None:
    assert refused(lambda: judge_pod(None, IDENTITY, TRUST)) == "pod"


def test_a_pod_that_lives_by_its_own_cluster_has_nothing_to_ask() -> None:
    home = make_pod(INJECTION._replace(policy="home"))
    assert refused(lambda: judge_pod(home, IDENTITY, TRUST)) == "not-injected"


def test_an_earlier_image_counts_where_it_is_named() -> None:
    earlier = IMAGE.replace("3", "4")
    pod = make_pod(INJECTION._replace(image=earlier))
    assert refused(lambda: judge_pod(pod, IDENTITY, TRUST)) == "not-injected"
    judge_pod(pod, IDENTITY, TRUST._replace(images=frozenset({IMAGE, earlier})))


def test_an_audience_that_admins_listed_may_be_there() -> None:
    volume = {
        "name": "vault",
        "projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]},
    }
    pod = make_pod(INJECTION._replace(audiences=frozenset({"vault"})), volumes=[volume])
    judge_pod(pod, IDENTITY, TRUST)
    nowhere = TRUST._replace(audiences=frozenset())
    assert refused(lambda: judge_pod(pod, IDENTITY, nowhere)) == "not-injected"
    assert BROKER


LABELS = make_namespace()["metadata"]["labels"]


def test_only_an_enforced_namespace_is_a_boundary() -> None:
    namespace = make_namespace()
    assert judge_boundary(namespace) is namespace
    assert refused(lambda: judge_boundary(None)) == "boundary"
    for value in ("optional", "Enforced", ""):
        other = make_namespace(labels={**LABELS, "mca.io/boundary": value})
        assert refused(lambda other=other: judge_boundary(other)) == "boundary"  # type: ignore[misc]
    assert refused(lambda: judge_boundary(make_namespace(labels=None))) == "boundary"


def test_the_tenant_is_the_one_that_holds_the_namespace() -> None:
    assert find_tenant_name(make_namespace()) == "acme"
    assert find_tenant_name(make_namespace(labels=None)) == ""
    assert judge_holder(make_namespace(), make_tenant(), "mca-system").name == "acme"


@pytest.mark.parametrize(
    ("namespace", "tenant", "rule"),
    [
        (make_namespace(), None, "tenant"),
        (make_namespace(), make_tenant({"uid": "made-anew"}), "tenant"),
        (make_namespace(), make_tenant({"deletionTimestamp": "2026-11-21T00:00:00Z"}), "tenant"),
        (make_namespace(), make_tenant(namespaces={"names": ["team-b"]}), "tenant"),
        (make_namespace(), make_tenant(mode="none"), "tenant"),
        (make_namespace(), make_tenant({"name": "other"}), "tenant"),
        (make_namespace(annotations={"mca.io/tenant-uid": "other"}), make_tenant(), "tenant"),
        (make_namespace(labels={}), None, "tenant"),
        (make_namespace(labels={}, annotations=None), None, "tenant"),
        (make_namespace(annotations=None), make_tenant(), "not-ready"),
    ],
)
def test_any_other_is_none(namespace: Raw, tenant: Raw | None, rule: str) -> None:
    assert refused(lambda: judge_holder(namespace, tenant, "mca-system")) == rule


def test_no_tenant_holds_a_system_namespace() -> None:
    tenant = make_tenant(namespaces={"names": ["mca-system"]})
    namespace = make_namespace(name="mca-system")
    assert refused(lambda: judge_holder(namespace, tenant, "mca-system")) == "tenant"


def tenant(**spec: Any) -> Tenant:
    found = parse_tenant(make_tenant(**spec))
    assert isinstance(found, Tenant)
    return found


@pytest.mark.parametrize(
    "credentials",
    [None, {"secretRef": {"name": "a"}}, {"tokenRequest": {"secretRef": {"name": "a"}}}],
)
def test_an_accepted_cluster_of_the_tenant_is_granted(credentials: Raw | None) -> None:
    assert judge_cluster("eu-1", make_cluster(credentials), tenant()).name == "eu-1"


@pytest.mark.parametrize(
    ("document", "clusters", "rule"),
    [
        (make_cluster(), [], "cluster"),
        (make_cluster(), ["eu-2"], "cluster"),
        (None, ["eu-1"], "cluster"),
        (make_cluster(deletionTimestamp="2026-11-21T00:00:00Z"), ["eu-1"], "cluster"),
        (make_cluster(status="False"), ["eu-1"], "cluster"),
        (make_cluster(status="Unknown"), ["eu-1"], "cluster"),
        (make_cluster({"audience": {}}), ["eu-1"], "cluster"),
        (make_cluster({"audience": {}, "secretRef": {"name": "a"}}), ["eu-1"], "cluster"),
        (make_cluster({"nothing": {}}), ["eu-1"], "cluster"),
        (make_cluster(generation=2), ["eu-1"], "not-ready"),
        ({**make_cluster(), "status": {}}, ["eu-1"], "not-ready"),
    ],
)
def test_another_cluster_is_not(document: Raw | None, clusters: list[str], rule: str) -> None:
    holder = tenant(clusters=clusters)
    assert refused(lambda: judge_cluster("eu-1", document, holder)) == rule
