"""An installation in order, as facts, and ways to spoil them. Owns the shape of a healthy one."""

import base64
import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from webhook.admission.injection import inject
from webhook.admission.outcome import Injected, Namespace
from webhook.admission.settings import InjectionSettings
from webhook.cli.check.facts import Attempt, ControllerFacts, Facts, Fetched, NamespaceFacts
from webhook.cli.check.finding import Finding
from webhook.cli.check.rights import EXCESSES, list_rights
from webhook.cli.check.trial import build_trial
from webhook.cli.install.paths import name_object
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SIDECAR = f"registry.example.com/mca/sidecar@sha256:{'a' * 64}"
CONTROL = f"registry.example.com/mca/control@sha256:{'b' * 64}"
SETTINGS = InstallSettings(sidecar_image=SIDECAR, control_image=CONTROL)
ROOT_CA = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "genuine"}}
LABELS = {"mca.io/injection": "enabled", "pod-security.kubernetes.io/enforce": "restricted"}
ENFORCED = {**LABELS, "mca.io/boundary": "enforced"}


@cache
def make_ca(starts: datetime, ends: datetime) -> str:
    """A CA certificate in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mca-webhook")])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=starts,
        not_valid_after=ends,
    )
    made = builder.sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def make_bundle(*days: int) -> str:
    """Of CAs that end in so many days from now; all began a hundred days ago."""
    began = NOW - timedelta(days=100)
    pem = "".join(make_ca(began, NOW + timedelta(days=each)) for each in days)
    return base64.b64encode(pem.encode()).decode()


def injected_pod(name: str = "web-0", image: str = SIDECAR) -> dict[str, Any]:
    """As it is stored."""
    mode = Namespace(enabled=True, enforced=True, opt_out=False)
    settings = InjectionSettings(image=image, policy="controller")
    outcome = inject(build_trial(), mode, settings, offline=True)
    assert isinstance(outcome, Injected)
    return {**outcome.pod, "metadata": {"name": name}, "status": {"phase": "Running"}}


def bare_pod(name: str = "old-0") -> dict[str, Any]:
    return {**build_trial(), "metadata": {"name": name}, "status": {"phase": "Running"}}


def make_namespace(name: str = "team-a", labels: dict[str, str] | None = None) -> NamespaceFacts:
    """Injected, with one pod."""
    return NamespaceFacts(
        name=name,
        namespace=Fetched({"metadata": {"name": name, "labels": labels or LABELS}}),
        pods=Fetched({"items": [injected_pod()]}),
        token_secrets=Fetched({"items": []}),
        root_ca=Fetched(ROOT_CA),
        services=Fetched({"items": [{"metadata": {"name": "web"}}]}),
        attempt=Attempt(201, injected_pod()),
        policy=Fetched({"metadata": {"annotations": {"mca.io/revision": "v1-7"}}}),
    )


def find(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in objects if item["kind"] == kind]


def make_facts(*namespaces: NamespaceFacts, settings: InstallSettings = SETTINGS) -> Facts:
    """Everything in order."""
    objects = copy.deepcopy(build_objects(settings))
    deployment, controller = find(objects, "Deployment")
    for each in (deployment, controller):
        each["metadata"]["generation"] = 1
        each["status"] = {"observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": 2}
    definitions = find(objects, "CustomResourceDefinition")
    for each in definitions:
        each["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    holder = {"holderIdentity": "mca-controller-0", "renewTime": "2026-11-21T11:59:50.000000Z"}
    leads = [{"addresses": ["10.0.0.7"]}]
    (registration,) = find(objects, "MutatingWebhookConfiguration")
    for webhook in registration["webhooks"]:
        webhook["clientConfig"]["caBundle"] = make_bundle(60)
        webhook["objectSelector"] = {}
    names = ("mutatingwebhookconfigurations", "validatingadmissionpolicies",
             "validatingadmissionpolicybindings")  # fmt: skip
    return Facts(
        now=NOW,
        system="mca-system",
        version={"gitVersion": "v1.36.3"},
        admission_kinds=Fetched({"resources": [{"name": name} for name in names]}),
        namespace=Fetched(find(objects, "Namespace")[0]),
        deployment=Fetched(deployment),
        pods=Fetched({"items": []}),
        endpoints=Fetched({"items": [{"endpoints": leads}]}),
        genuine_ca=Fetched(ROOT_CA),
        registration=Fetched(registration),
        policies=Fetched({"items": find(objects, "ValidatingAdmissionPolicy")}),
        bindings=Fetched({"items": find(objects, "ValidatingAdmissionPolicyBinding")}),
        flow_schemas=Fetched({"items": find(objects, "FlowSchema")}),
        controller=ControllerFacts(
            deployment=Fetched(controller),
            pods=Fetched({"items": []}),
            endpoints=Fetched({"items": [{"endpoints": leads}]}),
            lease=Fetched({"spec": {**holder, "leaseDurationSeconds": 15}}),
            definitions=Fetched({"items": definitions}),
        ),
        objects={name_object(item): Fetched(item) for item in objects},
        rights=dict.fromkeys(list_rights(objects), True),
        excesses=dict.fromkeys(EXCESSES, False),
        labelling=Attempt(201, {}),
        namespaces=namespaces,
    )


def spoil(facts: Facts, field: str, change: Callable[[Any], object]) -> Facts:
    """The facts with a fetched object that was changed in place."""
    document = copy.deepcopy(getattr(facts, field).document)
    change(document)
    changed: dict[str, Any] = {field: Fetched(document)}
    return replace(facts, **changed)


def tell(findings: Any) -> list[tuple[str, str, str]]:
    """Check, status and message of each."""
    return [(each.check, each.status.value, each.message) for each in findings]


def only(findings: Any) -> Finding:
    (finding,) = findings
    assert isinstance(finding, Finding)
    return finding
