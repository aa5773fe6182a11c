"""manifests/install.yaml on a real API server: applied, applied again, and what it lets us do."""

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.controlplane import Answer, ControlPlane
from tests.manifests.scene import MERGE_PATCH, wait_until
from webhook.install.files import render_files
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings
from webhook.install.text import render_yaml

pytestmark = pytest.mark.apiserver
SETTINGS = InstallSettings(
    sidecar_image=f"registry.example.com/mca-sidecar@sha256:{'5' * 64}",
    control_image=f"registry.example.com/mca-control@sha256:{'6' * 64}",
)
SECRETS = "/api/v1/namespaces/mca-system/secrets"
REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
BUNDLE = base64.b64encode(
    b"-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
).decode()


class Installed(NamedTuple):
    """The cluster, and the webhook's own token."""

    plane: ControlPlane
    token: str

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """As the webhook."""
        headers = MERGE_PATCH if method == "PATCH" else None
        raw = None if body is None else json.dumps(body).encode()
        if method in ("POST", "PUT"):
            headers = {"Content-Type": "application/json"}
        return self.plane.request(method, path, raw, token=self.token, headers=headers)

    def get(self, path: str) -> Any:
        """As the admin."""
        answer = self.plane.request("GET", path)
        assert answer.status == 200, answer.body
        return answer.json()


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    with ControlPlane() as plane:
        plane.kubectl("apply", "-f", "-", input=render_yaml(SETTINGS))
        installed = Installed(plane, plane.token("mca-system", "mca-webhook"))
        # Guards act a moment after they are there.
        mine = {"metadata": {"labels": {"mine": "now"}}}
        tried = f"{REGISTRATIONS}/mca?dryRun=All"
        wait_until(lambda: b"mca-registration" in installed.call("PATCH", tried, mine).body)
        yield installed


def fill_in(installed: Installed) -> None:
    """As the webhook does, with no more rights than it has."""
    secret = installed.call("GET", f"{SECRETS}/mca-webhook-ca").json()
    answer = installed.call(
        "PUT", f"{SECRETS}/mca-webhook-ca", secret | {"data": {"ca.crt": BUNDLE}}
    )
    assert answer.status == 200, answer.body
    webhooks = installed.call("GET", f"{REGISTRATIONS}/mca").json()["webhooks"]
    for each in webhooks:
        each["clientConfig"]["caBundle"] = BUNDLE
    answer = installed.call("PATCH", f"{REGISTRATIONS}/mca", {"webhooks": webhooks})
    assert answer.status == 200, answer.body


def is_filled_in(installed: Installed) -> bool:
    webhooks = installed.get(f"{REGISTRATIONS}/mca")["webhooks"]
    bundles = [each["clientConfig"].get("caBundle") for each in webhooks]
    data = installed.get(f"{SECRETS}/mca-webhook-ca").get("data")
    return bundles == [BUNDLE] * 3 and data == {"ca.crt": BUNDLE}


@pytest.mark.parametrize("options", [(), ("--server-side", "--force-conflicts")])
def test_applied_again_it_changes_nothing(installed: Installed, options: tuple[str, ...]) -> None:
    """Neither what the webhook filled in, nor anything else."""
    fill_in(installed)
    text = render_yaml(SETTINGS)
    installed.plane.kubectl("apply", *options, "-f", "-", input=text)
    before = list_versions(installed)
    told = installed.plane.kubectl("apply", *options, "-f", "-", input=text).stdout
    assert len(told.splitlines()) == len(before) == len(build_objects(SETTINGS))
    assert list_versions(installed) == before
    assert is_filled_in(installed)


def list_versions(installed: Installed) -> dict[str, str]:
    """Of each object: it changes with every write that changes something."""
    shown = "{.kind}/{.metadata.name} {.metadata.resourceVersion}"
    told = installed.plane.kubectl(
        "get", "-f", "-", "-o", f"jsonpath={{range .items[*]}}{shown}{{\"\\n\"}}{{end}}",
        input=render_yaml(SETTINGS),
    ).stdout  # fmt: skip
    return dict(line.split() for line in told.splitlines())


def test_the_committed_file_is_taken_too(installed: Installed) -> None:
    text = render_files()["manifests/install.yaml"]
    told = installed.plane.kubectl("apply", "--dry-run=server", "-f", "-", input=text).stdout
    assert len(told.splitlines()) == len(build_objects(SETTINGS))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", SECRETS),
        ("GET", f"{SECRETS}?watch=true&timeoutSeconds=1"),
        ("GET", f"{SECRETS}/other"),
        ("DELETE", f"{SECRETS}/mca-webhook-ca"),
        ("PATCH", f"{SECRETS}/mca-webhook-ca"),
        ("POST", SECRETS),
        ("GET", "/api/v1/namespaces/default/secrets/mca-webhook-ca"),
        ("GET", "/api/v1/namespaces/mca-system/pods"),
        ("GET", "/api/v1/namespaces/default"),
        ("POST", "/api/v1/namespaces"),
        ("GET", "/apis/mca.io/v1alpha1/routes"),
        ("POST", "/apis/mca.io/v1alpha1/tenants"),
        ("GET", "/api/v1/configmaps"),
        ("GET", REGISTRATIONS),
        ("GET", f"{REGISTRATIONS}/other"),
        ("DELETE", f"{REGISTRATIONS}/mca"),
        ("PATCH", f"{REGISTRATIONS}/other"),
        ("POST", REGISTRATIONS),
    ],
)
def test_it_may_do_no_more_than_it_needs(installed: Installed, method: str, path: str) -> None:
    body = {"metadata": {"name": "other"}} if method in ("POST", "PATCH") else None
    assert installed.call(method, path, body).status == 403


@pytest.mark.parametrize(
    "change",
    [
        {"clientConfig": {"url": "https://203.0.113.1/"}},
        {"clientConfig": {"service": {"namespace": "team", "name": "mine", "path": "/"}}},
        {"clientConfig": {"service": {"namespace": "mca-system", "name": "mca-webhook"}}},
        {"rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"],
                    "resources": ["*/*"]}]},
        {"failurePolicy": "Ignore"},
        {"namespaceSelector": {}},
        {"objectSelector": {"matchLabels": {"a": "b"}}},
        {"matchConditions": [{"name": "never", "expression": "false"}]},
        {"reinvocationPolicy": "Never"},
        {"timeoutSeconds": 1},
        {"name": "other.inject.mca.io"},
    ],
    ids=lambda change: str(change)[2:50],
)  # fmt: skip
def test_of_its_registration_it_may_change_the_bundle_alone(
    installed: Installed, change: dict[str, Any]
) -> None:
    webhooks = installed.call("GET", f"{REGISTRATIONS}/mca").json()["webhooks"]
    assert_bundle_alone(installed, {"webhooks": [{**webhooks[0], **change}, *webhooks[1:]]})


@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_nor_more_of_its_metadata(installed: Installed, field: str) -> None:
    assert_bundle_alone(installed, {"metadata": {field: {"mine": "now"}}})


def test_nor_how_many_there_are(installed: Installed) -> None:
    webhooks = installed.call("GET", f"{REGISTRATIONS}/mca").json()["webhooks"]
    assert_bundle_alone(installed, {"webhooks": webhooks[1:]})
    assert_bundle_alone(installed, {"webhooks": [*webhooks, {**webhooks[0], "name": "a.b.c"}]})
    assert_bundle_alone(installed, {"webhooks": []})


def assert_bundle_alone(installed: Installed, body: Any) -> None:
    """Refused by the guard, and passed once by an admin, so that nothing else was wrong with it."""
    answer = installed.call("PATCH", f"{REGISTRATIONS}/mca", body)
    assert answer.status == 403, answer.body
    assert "ValidatingAdmissionPolicy 'mca-registration'" in answer.json()["message"]
    path = f"{REGISTRATIONS}/mca?dryRun=All"
    raw = json.dumps(body).encode()
    answer = installed.plane.request("PATCH", path, raw, headers=MERGE_PATCH)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(("path", "name"), [(SECRETS, "mca-webhook-ca"), (REGISTRATIONS, "mca")])
def test_it_may_watch_what_it_reads(installed: Installed, path: str, name: str) -> None:
    selector = f"fieldSelector=metadata.name%3D{name}"
    answer = installed.call("GET", f"{path}?watch=true&timeoutSeconds=1&{selector}")
    assert answer.status == 200
    assert json.loads(answer.body.splitlines()[0])["object"]["metadata"]["name"] == name


def test_its_calls_have_a_flow_of_their_own(installed: Installed) -> None:
    schemas = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
    uid = installed.get(f"{schemas}/mca-webhook")["metadata"]["uid"]

    def read_flow() -> str | None:
        return installed.call("GET", f"{SECRETS}/mca-webhook-ca").headers.get(
            "X-Kubernetes-PF-FlowSchema-UID"
        )

    wait_until(lambda: read_flow() == uid)
    conditions = installed.get(f"{schemas}/mca-webhook")["status"]["conditions"]
    assert [each["status"] for each in conditions if each["type"] == "Dangling"] == ["False"]


def test_its_pods_meet_pod_security_restricted(installed: Installed) -> None:
    """The namespace enforces it, and injection spares it: this pod is taken as it is."""
    deployment = next(each for each in build_objects(SETTINGS) if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"] | {"apiVersion": "v1", "kind": "Pod"}
    pod["metadata"] = pod["metadata"] | {"name": "it"}
    path = "/api/v1/namespaces/mca-system/pods?dryRun=All"
    answer = installed.plane.request("POST", path, pod)
    assert answer.status == 201, answer.body
    assert [each["name"] for each in answer.json()["spec"]["containers"]] == ["webhook"]
    assert "Warning" not in answer.headers
    # The namespace is what refuses the opposite.
    pod["spec"]["hostNetwork"] = True
    assert installed.plane.request("POST", path, pod).status == 403
