"""Which pods get a sidecar, which are skipped or refused, and what nothing can bring along."""

import copy
from typing import Any, cast

import pytest

from tests.webhook.admission.scene import (
    ACCOUNT_PATH,
    IMAGE,
    SETTINGS,
    add_access,
    make_container,
    make_pod,
)
from webhook.admission.injection import Patch, inject, plan_patch
from webhook.admission.outcome import Injected, Namespace, Refusal, Skip
from webhook.admission.registration import MODES

STANDARD, ENFORCED, OPTIONAL = MODES["standard"], MODES["enforced"], MODES["optional"]
NOTHING = {"name": "nothing", "emptyDir": {}}
HIDING = [{"name": "nothing", "mountPath": ACCOUNT_PATH}]


def injected(pod: dict[str, Any], namespace: Namespace = STANDARD, **options: Any) -> Injected:
    before = copy.deepcopy(pod)
    outcome = inject(pod, namespace, SETTINGS, **options)
    assert isinstance(outcome, Injected), outcome
    assert pod == before
    again = inject(outcome.pod, namespace, SETTINGS, **options)
    assert isinstance(again, Injected)
    assert again.pod == outcome.pod
    return outcome


def with_api(outcome: Injected) -> list[str]:
    spec = outcome.pod["spec"]
    return [
        container["name"]
        for container in [*spec["initContainers"][1:], *spec["containers"]]
        if any(mount["name"] == "mca-clients" for mount in container.get("volumeMounts", ()))
    ]


@pytest.mark.parametrize(
    ("spec", "annotations", "code"),
    [
        ({"hostNetwork": True}, {}, "host-network"),
        ({"os": {"name": "windows"}}, {}, "windows"),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, {}, "windows"),
        ({}, {"kubernetes.io/config.mirror": "x"}, "mirror-pod"),
        ({}, {"mca.io/inject": "false"}, "opted-out"),
    ],
)
def test_a_skip_is_a_refusal_where_the_boundary_is_enforced(
    spec: dict[str, Any], annotations: dict[str, str], code: str
) -> None:
    pod = add_access(make_pod(annotations=annotations, **spec))
    skipped = inject(pod, OPTIONAL, SETTINGS)
    assert isinstance(skipped, Skip)
    refused = inject(pod, ENFORCED, SETTINGS)
    assert isinstance(refused, Refusal)
    assert (skipped.code, refused.code) == (code, code)
    assert refused.reason.startswith(skipped.reason)


@pytest.mark.parametrize(
    ("pod", "code"),
    [
        ({}, "malformed"),
        (make_pod(annotations={"mca.io/image": "x"}), "invalid-annotation"),
        (make_pod(annotations={"mca.io/inject": "false"}), "opt-out-not-allowed"),
        (make_pod(make_container("mca")), "reserved-name"),
    ],
)
def test_refused_everywhere(pod: dict[str, Any], code: str) -> None:
    outcome = plan_patch(pod, STANDARD, SETTINGS)
    assert isinstance(outcome, Refusal)
    assert outcome.code == code


MALFORMED: list[tuple[Any, str]] = [
    ([], "the pod is not an object"),
    ({"spec": None}, "spec is missing"),
    ({"spec": {"containers": "app"}}, "spec.containers is not a list"),
    ({"spec": {"containers": [None]}}, "spec.containers[0] is null"),
    (add_access(make_pod(make_container(env=[{"value": "x"}]))),
     "spec.containers[0].env[0].name is missing"),
    (make_pod(make_container(volumeMounts=[{"name": "x"}])),
     "spec.containers[0].volumeMounts[0].mountPath is missing"),
    (make_pod(metadata={}, volumes=["x"]), "spec.volumes[0] is not an object"),
]  # fmt: skip


@pytest.mark.parametrize(("pod", "problem"), MALFORMED)
@pytest.mark.parametrize("offline", [False, True])
def test_what_cannot_be_read_is_told_with_its_path(pod: Any, problem: str, offline: bool) -> None:
    outcome = inject(pod, STANDARD, SETTINGS, offline=offline)
    told = f"{problem}: this is not a pod that can be read"
    assert outcome == Refusal("malformed", told)


def test_a_file_may_say_what_the_api_server_would_not_have_sent() -> None:
    pod = make_pod(make_container(securityContext={"runAsUser": "64430"}))
    outcome = inject(pod, ENFORCED, SETTINGS, offline=True)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "malformed"


def test_a_fault_of_ours_is_not_taken_for_one_of_the_pod() -> None:
    with pytest.raises(AttributeError):
        inject(add_access(make_pod()), STANDARD, cast("Any", None))


def test_a_pod_has_a_largest_number_of_containers() -> None:
    most = make_pod(*(make_container(f"c{i}") for i in range(999)), initContainers=[
        make_container("setup")
    ])  # fmt: skip
    injected(add_access(most))
    most["spec"]["containers"].append(make_container("more"))
    outcome = inject(most, STANDARD, SETTINGS)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "too-many-containers"


def test_a_namespace_that_is_not_enabled() -> None:
    plain = Namespace(enabled=False, enforced=False, opt_out=False)
    outcome = inject(add_access(make_pod()), plain, SETTINGS)
    assert isinstance(outcome, Skip)
    assert outcome.code == "not-enabled"


def test_a_breach_counts_only_where_the_boundary_is_enforced() -> None:
    paths = [{"name": f"v{i}", "hostPath": {"path": "/"}} for i in range(10)]
    pod = add_access(make_pod(hostPID=True, volumes=paths))
    injected(pod)
    outcome = inject(pod, ENFORCED, SETTINGS)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "host-pid"
    assert "spec.hostPID: " in outcome.reason
    assert "volume v0: hostPath" in outcome.reason
    assert outcome.reason.endswith("; and 3 more")
    assert isinstance(inject(add_access(make_pod()), ENFORCED, SETTINGS), Injected)


def test_who_asks_for_no_token_gets_no_sidecar_or_one_without_api() -> None:
    pod = make_pod()  # no volume of the API server's: pod or service account asked for none
    outcome = inject(pod, STANDARD, SETTINGS)
    assert isinstance(outcome, Skip)
    assert outcome.code == "no-token"
    enforced = injected(pod, ENFORCED)
    assert with_api(enforced) == []
    assert "env" not in enforced.pod["spec"]["containers"][0]
    annotated = injected(make_pod(annotations={"mca.io/containers": "app"}))
    assert with_api(annotated) == ["app"]


def test_in_a_file_the_pod_itself_says_whether_it_asks() -> None:
    assert with_api(injected(make_pod(), offline=True)) == ["app"]
    outcome = inject(make_pod(automountServiceAccountToken=False), STANDARD, SETTINGS, offline=True)
    assert isinstance(outcome, Skip)


def test_a_container_that_is_left_out_gets_no_token_at_all() -> None:
    pod = add_access(
        make_pod(make_container(), make_container("b"), annotations={"mca.io/containers": "b,c"})
    )
    outcome = injected(pod)
    assert with_api(outcome) == ["b"]
    assert "kube-api-access" not in str(outcome.pod)
    assert outcome.warnings == ("mca.io/containers names c, and the pod has no such container",)
    none = injected(add_access(make_pod(annotations={"mca.io/containers": ""})))
    assert with_api(none) == []
    assert "kube-api-access" not in str(none.pod)


def test_a_volume_of_its_own_at_that_path_stays_unless_the_container_is_named() -> None:
    hiding = make_container("b", volumeMounts=HIDING)
    pod = add_access(make_pod(make_container(), hiding, volumes=[NOTHING]))
    outcome = injected(pod)
    assert with_api(outcome) == ["app"]
    assert outcome.pod["spec"]["containers"][1]["volumeMounts"] == HIDING
    assert "container b mounts a volume of its own" in outcome.warnings[0]
    pod["metadata"]["annotations"] = {"mca.io/containers": "b"}
    assert with_api(injected(pod)) == ["b"]


def test_a_token_elsewhere_is_told() -> None:
    token = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    mount = [{"name": "t", "mountPath": "/token"}]
    pod = add_access(make_pod(make_container(volumeMounts=mount), volumes=[token]))
    assert "volume t holds a token of the API server" in injected(pod).warnings[0]
    refused = inject(pod, ENFORCED, SETTINGS)
    assert isinstance(refused, Refusal)
    assert refused.code == "token-volume"


def test_what_is_named_like_ours_is_made_anew() -> None:
    honest = injected(add_access(make_pod(make_container(envFrom=[{}]))))
    assert "envFrom" in honest.warnings[0]
    forged = copy.deepcopy(honest.pod)
    spec = forged["spec"]
    spec["initContainers"][0] |= {"image": "evil", "command": ["sh"], "lifecycle": {}}
    spec["initContainers"].insert(0, make_container("first"))
    spec["volumes"][0] = {"name": "mca-identity", "hostPath": {"path": "/"}}
    spec["volumes"].append({"name": "mca-token", "emptyDir": {}})
    spec["containers"][0]["volumeMounts"].append({"name": "mca-clients", "mountPath": "/all"})
    rebuilt = injected(forged).pod["spec"]
    assert rebuilt["initContainers"][0]["name"] == "mca"
    assert rebuilt["initContainers"][0]["image"] == IMAGE
    assert "command" not in rebuilt["initContainers"][0]
    assert rebuilt["volumes"] == honest.pod["spec"]["volumes"]
    assert rebuilt["containers"] == honest.pod["spec"]["containers"]


def test_ours_stays_where_another_webhook_has_moved_it() -> None:
    pod = injected(add_access(make_pod())).pod
    pod["spec"]["volumes"].append({"name": "mesh", "emptyDir": {}})
    pod["spec"]["containers"].append(make_container("mesh-proxy"))
    patch = plan_patch(pod, STANDARD, SETTINGS)
    assert isinstance(patch, Patch)
    touched = {operation["path"] for operation in patch.operations}
    assert touched == {
        "/spec/containers/1/env",
        "/spec/containers/1/volumeMounts",
        "/spec/initContainers/0/env/3/value",
    }


def test_the_patch_is_small_and_leaves_what_it_does_not_know() -> None:
    pod = add_access(make_pod(make_container(futureField={"a": [1]}), futureField=[{"x": 1}]))
    patch = plan_patch(pod, STANDARD, SETTINGS)
    assert isinstance(patch, Patch)
    assert not [operation for operation in patch.operations if "future" in str(operation)]
    assert [operation["path"] for operation in patch.operations] == [
        "/spec/containers/0/volumeMounts/0/name",
        "/spec/containers/0/volumeMounts/0/subPath",
        "/spec/containers/0/env",
        "/spec/volumes/0",
        "/spec/volumes/0",
        "/spec/volumes/0",
        "/spec/volumes/0",
        "/spec/initContainers",
        "/spec/automountServiceAccountToken",
    ]


def test_a_pod_with_resources_of_its_own_shares_them() -> None:
    share = {"requests": {"cpu": "10m"}}
    outcome = injected(add_access(make_pod(resources=share)))
    assert outcome.pod["spec"]["initContainers"][0]["resources"] == {}
