"""`mca install` and `mca uninstall` on a real control plane, from nothing to nothing."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.webhook.cli.check.scene import CONTROL, SIDECAR, bare_pod
from tests.webhook.cli.install.cluster import IMAGES, Cluster, wait_until
from webhook.guards.reading import read_images
from webhook.install.names import WEBHOOK

pytestmark = pytest.mark.apiserver
DEPLOYMENT = f"/apis/apps/v1/namespaces/mca-system/deployments/{WEBHOOK}"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
REGISTRATION = f"{ADMISSION}/mutatingwebhookconfigurations/mca"
SECRET = "/api/v1/namespaces/mca-system/secrets/mca-webhook-ca"
DEPLOYMENT_OF_ANYBODY = {
    "metadata": {"name": "it"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "a", "image": "a"}]},
        },
    },
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def installed(cluster: Cluster) -> Iterator[Cluster]:
    """With whatever options the last test had; and gone after the last of them."""
    cluster.install()
    yield cluster
    cluster.node.healthy = True


def list_outcomes(text: str) -> list[str]:
    """Of each object that was applied."""
    return re.findall(r"^  \S.* (created|configured|unchanged)$", text, re.MULTILINE)


def test_from_nothing_and_back(cluster: Cluster) -> None:
    before = cluster.list_everything()
    tried = cluster.mca("install", *IMAGES, "--dry-run")
    assert (tried.returncode, tried.stderr) == (0, "")
    assert "  namespace/mca-system: would be created\n" in tried.stdout
    assert "poddisruptionbudget.policy/mca-webhook: waits for its namespace\n" in tried.stdout
    assert cluster.list_everything() == before

    first = cluster.install()
    assert set(list_outcomes(first.stdout)) == {"created"}
    assert "webhook and controller serve\ninstalled. Next:\n" in first.stdout

    again = cluster.install()
    assert set(list_outcomes(again.stdout)) == {"unchanged"}
    assert "would be" not in again.stdout

    gone = cluster.uninstall()
    assert "nothing of it is left\n" in gone.stdout
    kept = {f"{kind}.mca.io" for kind in ("clusters", "routes", "tenants")}
    assert f"  kubectl delete customresourcedefinition {' '.join(sorted(kept))}\n" in gone.stdout
    assert cluster.list_everything() == before
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for name in kept:
        assert cluster.plane.request("GET", f"{definitions}/{name}").status == 200
    nothing = cluster.mca("uninstall")
    assert (nothing.returncode, nothing.stdout) == (0, "nothing is installed\n")


def test_pods_of_a_labelled_namespace_get_their_sidecar(installed: Cluster) -> None:
    installed.label("first", injection="enabled")
    pods = "/api/v1/namespaces/first/pods?dryRun=All"

    def is_injected() -> bool:
        answer = installed.plane.request("POST", pods, bare_pod())
        assert answer.status == 201, answer.body
        init = answer.json()["spec"].get("initContainers") or [{}]
        return bool(init[0].get("image") == SIDECAR)

    wait_until(is_injected)
    installed.label("first", injection=None)


def test_what_the_webhook_fills_in_stays(installed: Cluster) -> None:
    """Its CA and the bundle are its own: applying again must not empty them."""

    def read() -> tuple[Any, Any]:
        registration = installed.plane.request("GET", REGISTRATION).json()
        bundles = [each["clientConfig"]["caBundle"] for each in registration["webhooks"]]
        return bundles, installed.plane.request("GET", SECRET).json()["data"]

    before = read()
    assert all(before[0])
    assert set(list_outcomes(installed.install().stdout)) == {"unchanged"}
    assert read() == before


def test_no_value_of_a_secret_comes_to_the_command(installed: Cluster) -> None:
    """By what the API server recorded of its answers; not even where the webhook has filled it."""
    assert installed.plane.request("GET", SECRET).json()["data"]
    before = len(installed.list_answers_on_secrets())
    installed.install()
    wait_until(lambda: len(installed.list_answers_on_secrets()) >= before + 5)
    assert set(installed.list_answers_on_secrets()[before:]) == {
        ("get", "PartialObjectMetadata", False),
        ("patch", "PartialObjectMetadata", False),
        ("list", "PartialObjectMetadataList", False),
    }


def test_an_upgrade_changes_and_prunes(installed: Cluster) -> None:
    installed.install("--dashboard")
    dashboard = "/api/v1/namespaces/mca-system/configmaps/mca-webhook-dashboard"
    assert installed.plane.request("GET", dashboard).status == 200
    newer = SIDECAR.replace("a" * 64, "c" * 64)
    arguments = ("--sidecar-image", newer, "--control-image", CONTROL, "--audience", "vault")
    tried = installed.mca("install", *arguments, "--dry-run")
    assert f"deployment.apps/{WEBHOOK}: would be configured" in tried.stdout
    assert "policybinding" not in tried.stdout
    done = installed.mca("install", *arguments, "--wait", "45")
    assert done.returncode == 0, done.stderr
    # While webhooks of before answer, the guards accept what they put in; no longer than that.
    rolled, _, settled = done.stdout.partition("webhook and controller serve\n")
    assert settled.startswith("the earlier image of sidecars is no longer accepted for new pods\n")
    assert "policy.admissionregistration.k8s.io/mca-final-pods configured\n" in rolled
    assert "policy.admissionregistration.k8s.io/mca-final-pods configured\n" in settled
    guard = installed.plane.request(
        "GET", f"{ADMISSION}/validatingadmissionpolicies/mca-final-pods"
    )
    assert newer.encode() in guard.body
    assert SIDECAR.encode() not in guard.body
    assert f"mca-system: deployment.apps/{WEBHOOK} configured\n" in done.stdout
    assert re.search(r"  mca-system: configmap/\S+ deleted: no longer part of it\n", done.stdout)
    assert installed.plane.request("GET", dashboard).status == 404


def test_a_field_that_somebody_else_has_set_is_not_taken(installed: Cluster) -> None:
    installed.plane.kubectl("scale", "-n", "mca-system", f"deployment/{WEBHOOK}", "--replicas=3")
    wait_until(lambda: installed.plane.request("GET", DEPLOYMENT).json()["spec"]["replicas"] == 3)
    refused = installed.mca("install", *IMAGES)
    assert refused.returncode == 1
    assert f"mca-system: deployment.apps/{WEBHOOK}: conflict with " in refused.stderr
    assert ".spec.replicas" in refused.stderr
    assert "--force-conflicts" in refused.stderr
    assert refused.stderr.endswith("mca install: nothing was changed\n")
    assert installed.plane.request("GET", DEPLOYMENT).json()["spec"]["replicas"] == 3
    installed.install("--force-conflicts")
    assert installed.plane.request("GET", DEPLOYMENT).json()["spec"]["replicas"] == 2


def test_what_is_not_ready_in_time_is_told(installed: Cluster) -> None:
    installed.node.healthy = False
    wait_until(
        lambda: not installed.plane.request("GET", DEPLOYMENT).json()["status"].get("readyReplicas")
    )
    done = installed.mca("install", *IMAGES, "--wait", "1")
    assert done.returncode == 1
    unready = "0 of 2 pods of mca-webhook are ready"
    assert f"waiting: {unready}, " in done.stdout
    assert f"everything is applied, but not ready after 1 s: {unready}" in done.stderr
    assert "kubectl describe pods -n mca-system" in done.stderr
    # It may be a member's context, and then the current one would show another cluster.
    assert "deployment/mca-controller --context control-plane\n" in done.stderr
    assert "mca uninstall --context control-plane\n" in done.stderr
    assert installed.mca("install", *IMAGES, "--wait", "0").returncode == 0


def test_an_operator_that_is_not_there(installed: Cluster) -> None:
    done = installed.mca("install", *IMAGES, "--service-monitor")
    assert done.returncode == 1
    assert "the cluster has no ServiceMonitor of monitoring.coreos.com" in done.stderr
    assert "install the Prometheus operator first" in done.stderr


@pytest.mark.parametrize(("user", "verb"), [("reader", "patch"), ("nobody", "get")])
def test_who_may_not_is_told_before_anything_is_changed(
    installed: Cluster, user: str, verb: str
) -> None:
    done = installed.mca(
        "install", *IMAGES, "--replicas", "3", "--admin-group", "system:masters", user=user
    )
    assert done.returncode == 1
    assert f"cannot {verb} resource" in done.stderr
    assert done.stderr.endswith("nothing was changed\n")
    assert installed.plane.request("GET", DEPLOYMENT).json()["spec"]["replicas"] == 2


def test_who_could_not_label_a_namespace_is_told(installed: Cluster) -> None:
    """A cluster's admin need not be in the groups that the guards know."""
    refused = installed.mca("install", *IMAGES, user="operator")
    assert refused.returncode == 1
    assert "you are operator, in none of the groups system:masters" in refused.stderr
    assert "--admin-user operator" in refused.stderr
    assert refused.stderr.endswith("nothing was changed\n")
    tried = installed.mca(
        "install", *IMAGES, "--admin-user", "operator", "--dry-run", user="operator"
    )
    assert tried.returncode == 0, tried.stderr


def test_an_upgrade_that_does_not_end_closes_no_namespace(installed: Cluster) -> None:
    """Done again, as it says itself: webhooks of before serve still, so their image is accepted."""
    guard = f"{ADMISSION}/validatingadmissionpolicies/mca-final-pods"

    def read() -> tuple[str, ...]:
        return read_images(installed.plane.request("GET", guard).json())

    second, third = (SIDECAR.replace("a" * 64, digit * 64) for digit in "de")
    assert read() == (SIDECAR,)
    installed.node.healthy = False

    def upgrade(image: str, seconds: int) -> None:
        images = ("--sidecar-image", image, "--control-image", CONTROL)
        done = installed.mca("install", *images, "--wait", str(seconds))
        assert done.returncode == 0, done.stderr

    for image in (second, second, third):
        upgrade(image, 0)
        assert {SIDECAR, image} <= set(read())
    assert set(read()) == {SIDECAR, second, third}
    installed.node.healthy = True
    upgrade(third, 30)
    assert read() == (third,)


def test_where_it_stops_it_says_what_is_left(cluster: Cluster) -> None:
    """What goes into a namespace can only be tried once that is there: no Deployments today."""
    cluster.uninstall()
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"],
            "resources": ["deployments"]}  # fmt: skip
    refusal = {"expression": "false", "message": "no Deployments today"}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [refusal]}
    bound = {"policyName": "today", "validationActions": ["Deny"]}
    policies = f"{ADMISSION}/validatingadmissionpolicies"
    bindings = f"{ADMISSION}/validatingadmissionpolicybindings"
    cluster.plane.create(policies, {"metadata": {"name": "today"}, "spec": spec})
    cluster.plane.create(bindings, {"metadata": {"name": "today"}, "spec": bound})

    def is_refused() -> bool:
        path = "/apis/apps/v1/namespaces/default/deployments?dryRun=All"
        return b"today" in cluster.plane.request("POST", path, DEPLOYMENT_OF_ANYBODY).body

    wait_until(is_refused)
    done = cluster.mca("install", *IMAGES)
    assert done.returncode == 1
    assert f"deployment.apps/{WEBHOOK}: " in done.stderr
    assert "no Deployments today" in done.stderr
    assert re.search(r"\n.* \d+ objects are applied and stay, 5 are not; run the same", done.stderr)
    for path in (bindings, policies):
        assert cluster.plane.request("DELETE", f"{path}/today").status == 200
    wait_until(lambda: not is_refused())
    cluster.install("--wait", "0")


def test_uninstall_refuses_while_namespaces_are_labelled(installed: Cluster) -> None:
    installed.label("kept", injection="enabled")
    refused = installed.mca("uninstall")
    assert refused.returncode == 1
    assert "mca uninstall:   kept: mca.io/injection=enabled\n" in refused.stderr
    assert "--force" in refused.stderr
    assert installed.plane.request("GET", REGISTRATION).status == 200
    tried = installed.mca("uninstall", "--force", "--dry-run")
    assert tried.stdout.startswith(
        "  mutatingwebhookconfiguration.admissionregistration.k8s.io/mca"
    )
    assert "\n  namespace/mca-system would be deleted\n" in tried.stdout
    assert installed.plane.request("GET", REGISTRATION).status == 200
    installed.uninstall("--force")
    assert installed.plane.request("GET", REGISTRATION).status == 404
    # Nothing stands in the way of pods there.
    made = installed.plane.request("POST", "/api/v1/namespaces/kept/pods?dryRun=All", bare_pod())
    assert made.status == 201, made.body
    installed.label("kept", injection=None)


def test_what_others_have_made_is_left_alone(cluster: Cluster) -> None:
    """By kubectl, and by Helm: told by what each leaves behind."""
    cluster.mca("uninstall", "--force")
    text = cluster.mca("install", *IMAGES, "-o", "yaml").stdout
    cluster.plane.kubectl("apply", "--server-side", "-f", "-", input=text)
    refused = cluster.mca("uninstall")
    assert refused.returncode == 1
    assert "it was not installed with mca install" in refused.stderr
    release = {"meta.helm.sh/release-name": "mine", "meta.helm.sh/release-namespace": "x"}
    cluster.patch(DEPLOYMENT, {"metadata": {"annotations": release}})
    refused = cluster.mca("uninstall")
    assert refused.stderr == "mca uninstall: Helm has installed it: helm uninstall mine\n"
    refused = cluster.mca("install", *IMAGES)
    assert refused.returncode == 1
    assert "belongs to the Helm release mine" in refused.stderr
    cluster.plane.kubectl("delete", "-f", "-", input=text, timeout_s=120)
