"""What is said of one namespace: labels, injection, older pods, its boundary."""

from dataclasses import replace
from typing import Any

import pytest

from tests.webhook.cli.check.scene import (
    CONTROL,
    ENFORCED,
    SETTINGS,
    bare_pod,
    injected_pod,
    make_facts,
    make_namespace,
    only,
    spoil,
    tell,
)
from webhook.cli.check.facts import Attempt, Fetched, NamespaceFacts
from webhook.cli.check.namespaces import (
    EACH,
    check_boundary,
    check_injection,
    check_labels,
    check_listing,
    check_older_pods,
    check_policy,
    find_enforcement,
)

WHOLE = make_facts()


def with_pods(*pods: dict[str, Any], labels: dict[str, str] | None = None) -> NamespaceFacts:
    return replace(make_namespace(labels=labels), pods=Fetched({"items": list(pods)}))


def test_in_order() -> None:
    facts = make_namespace()
    assert tell(finding for check in EACH for finding in check(facts, WHOLE)) == [
        ("labels", "ok", "mca.io/injection: enabled"),
        ("injection", "ok", "a pod that was tried gets its sidecar"),
        ("policy", "ok", "its snapshot is v1-7"),
        ("pods", "ok", "1 pod running, each with a sidecar"),
    ]
    assert list(check_boundary(facts, WHOLE)) == []


def test_which_are_labelled() -> None:
    assert "none yet: kubectl label namespace" in only(check_listing(WHOLE)).message
    assert list(check_listing(make_facts(make_namespace()))) == []
    unlisted = replace(WHOLE, unlisted="forbidden")
    assert only(check_listing(unlisted)).status.value == "unknown"


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"mca.io/injection": "Enabled"}, "means nothing: mca.io/injection: Enabled"),
        ({"mca.io/injection": "enabled", "mca.io/boundary": "on"}, "mca.io/boundary: on"),
        ({"mca.io/injection": "enabled", "mca.io/opt-out": "yes"}, "mca.io/opt-out: yes"),
        ({"a": "b"}, "its pods are not injected"),
    ],
)
def test_labels_that_do_not_do(labels: dict[str, str], told: str) -> None:
    finding = only(check_labels(make_namespace(labels=labels), WHOLE))
    assert finding.status.value == "fail"
    assert told in finding.message


def test_a_namespace_that_is_not_there_or_not_for_injection() -> None:
    gone = replace(make_namespace(), namespace=Fetched())
    assert only(check_labels(gone, WHOLE)).message == "there is no namespace team-a"
    assert list(check_injection(gone, WHOLE)) == list(check_older_pods(gone, WHOLE)) == []
    assert "MCA's own" in only(check_labels(make_namespace("mca-system"), WHOLE)).message


CALL = 'Internal error occurred: failed calling webhook "standard.inject.mca.io": failed to call: '


@pytest.mark.parametrize(
    ("attempt", "status", "told", "hint"),
    [
        (Attempt(500, None, CALL + "tls: failed to verify certificate: x509: unknown authority"),
         "fail", "x509", "ca-bundle above"),
        (Attempt(500, None, CALL + 'no endpoints available for service "mca-webhook"'),
         "fail", "no endpoints", "no pod of it serves"),
        (Attempt(500, None, CALL + "dial tcp 10.0.0.7:8443: connect: connection refused"),
         "fail", "refused", "no pod of it serves"),
        (Attempt(500, None, CALL + "context deadline exceeded"), "fail", "deadline", "firewalls"),
        (Attempt(500, None, CALL + "EOF"), "fail", "EOF", "kubectl logs -n mca-system"),
        (Attempt(403, None, 'admission webhook "standard.inject.mca.io" denied the request: mca x'),
         "fail", "a plain pod is refused", "of one release"),
        (Attempt(403, None, "ValidatingAdmissionPolicy 'mca-final-pods' with binding denied"),
         "fail", "a plain pod is refused", "of one release"),
        (Attempt(429, None, 'admission webhook "standard.inject.mca.io" denied the request: busy'),
         "unknown", "busy", "in a moment"),
        (Attempt(403, None, 'User "eve" cannot create resource "pods"'),
         "unknown", "could not be tried", "may create pods"),
        (Attempt(201, bare_pod(), warnings=("mca no-token: no sidecar",)),
         "fail", "a pod gets no sidecar: mca no-token: no sidecar", "registration above"),
        (Attempt(201, bare_pod()), "fail", "nothing was said about it", "registration above"),
        (Attempt(201, injected_pod(image=CONTROL)), "fail", "not the webhook's", "another webhook"),
    ],
)  # fmt: skip
def test_a_pod_that_is_tried(attempt: Attempt, status: str, told: str, hint: str) -> None:
    finding = only(check_injection(replace(make_namespace(), attempt=attempt), WHOLE))
    assert finding.status.value == status
    assert told in finding.message
    assert hint in finding.hint


def test_a_namespace_without_its_snapshot() -> None:
    facts = replace(make_namespace(), policy=Fetched())
    finding = only(check_policy(facts, WHOLE))
    assert finding.status.value == "fail"
    assert "there is no ConfigMap mca-policy" in finding.message

    def live_by_home(deployment: Any) -> None:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        (item,) = [each for each in container["env"] if each["name"] == "MCA_SIDECAR_POLICY"]
        item["value"] = "home"

    assert list(check_policy(facts, spoil(WHOLE, "deployment", live_by_home))) == []


def test_older_pods() -> None:
    finished = {**bare_pod("done-0"), "status": {"phase": "Succeeded"}}
    facts = with_pods(injected_pod(), bare_pod("b"), bare_pod("a"), finished)
    finding = only(check_older_pods(facts, WHOLE))
    assert finding.message == "2 of 3 pods have no sidecar: a, b"
    assert "kubectl rollout restart -n team-a" in finding.hint


def test_a_boundary_that_holds() -> None:
    facts = with_pods(injected_pod(), labels=ENFORCED)
    assert list(check_older_pods(facts, WHOLE)) == []
    finding = only(check_boundary(facts, WHOLE))
    assert finding.message == "is enforced: 1 pod, nothing but as injected, and no token Secret"
    report = find_enforcement(facts, WHOLE)
    assert report is not None
    assert report.enforced


def test_a_boundary_that_does_not_hold_yet() -> None:
    secrets = Fetched({"items": [{"metadata": {"name": "old-token"}}]})
    facts = replace(with_pods(bare_pod(), labels=ENFORCED), token_secrets=secrets)
    pod, secret = check_boundary(facts, WHOLE)
    assert (pod.status.value, pod.message) == ("fail", "pod/old-0 has no sidecar")
    assert (secret.status.value, secret.message[:16]) == ("fail", "secret/old-token")
    assert pod.hint
    assert secret.hint


def test_a_boundary_whose_sidecars_would_be_led_elsewhere() -> None:
    evil = Fetched({"data": {"ca.crt": "evil"}})
    facts = replace(with_pods(injected_pod(), labels=ENFORCED), root_ca=evil)
    assert "another CA" in only(check_boundary(facts, WHOLE)).message
    service = Fetched({"items": [{"metadata": {"name": "kubernetes"}}]})
    facts = replace(with_pods(injected_pod(), labels=ENFORCED), services=service)
    assert "service/kubernetes" in only(check_boundary(facts, WHOLE)).message


def test_images_of_an_earlier_release() -> None:
    facts = with_pods(injected_pod(image=CONTROL), labels=ENFORCED)
    finding = only(check_boundary(facts, WHOLE))
    assert finding.message == f"pod/web-0 the sidecar's image is {CONTROL}"
    assert only(check_boundary(facts, WHOLE, [CONTROL])).status.value == "ok"
    upgrading = make_facts(settings=replace(SETTINGS, previous_sidecar_images=(CONTROL,)))
    assert only(check_boundary(facts, upgrading)).status.value == "ok"
    changed = spoil(WHOLE, "policies", lambda found: found["items"].clear())
    assert only(check_boundary(facts, changed)).status.value == "fail"


def test_a_boundary_with_nothing_to_compare_with() -> None:
    facts = with_pods(injected_pod(), labels=ENFORCED)
    finding = only(check_boundary(facts, replace(WHOLE, deployment=Fetched())))
    assert finding.status.value == "unknown"
