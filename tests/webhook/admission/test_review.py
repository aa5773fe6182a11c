"""AdmissionReviews in and out, and everything that is none."""

import base64
import json
from typing import Any

import pytest

from tests.webhook.admission.scene import (
    SETTINGS,
    add_access,
    apply_patch,
    make_container,
    make_pod,
    make_review,
)
from webhook.admission.injection import inject
from webhook.admission.outcome import Injected
from webhook.admission.registration import MODES
from webhook.admission.review import Reviewed, refuse_busy, review

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
STANDARD = MODES["standard"]


def answer(body: bytes, mode: str = "standard") -> tuple[dict[str, Any], Reviewed]:
    reviewed = review(body, MODES[mode], SETTINGS)
    document = json.loads(reviewed.body)
    assert (document["apiVersion"], document["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    return document["response"], reviewed


def test_the_patch_and_the_very_same_uid() -> None:
    pod = add_access(make_pod(make_container(envFrom=[{}])))
    response, reviewed = answer(make_review(pod, uid="Any-Text.1"))
    assert (response["uid"], response["allowed"]) == ("Any-Text.1", True)
    assert response["patchType"] == "JSONPatch"
    outcome = inject(pod, STANDARD, SETTINGS)
    assert isinstance(outcome, Injected)
    patched = apply_patch(pod, json.loads(base64.b64decode(response["patch"])))
    assert patched == outcome.pod
    assert "envFrom" in response["warnings"][0]
    assert reviewed[1:] == ("injected", "")
    again, reviewed = answer(make_review(patched))
    assert "patch" not in again
    assert reviewed[1:] == ("unchanged", "")


def test_a_skip_is_told() -> None:
    response, reviewed = answer(make_review(make_pod(hostNetwork=True)))
    told = "mca host-network: no sidecar for this pod: a pod with hostNetwork has no loopback"
    assert response["allowed"]
    assert response["warnings"][0].startswith(told)
    assert reviewed[1:] == ("skipped", "host-network")


def test_a_refusal_is_told() -> None:
    response, reviewed = answer(make_review(make_pod(hostNetwork=True)), "enforced")
    assert response["allowed"] is False
    assert (response["status"]["code"], response["status"]["reason"]) == (403, "Forbidden")
    assert response["status"]["message"].startswith("mca host-network: a pod with hostNetwork has")
    assert reviewed[1:] == ("refused", "host-network")


def test_who_finds_no_room_is_told_when_to_come_again() -> None:
    reviewed = refuse_busy(UID, "team-a")
    response = json.loads(reviewed.body)["response"]
    assert (response["uid"], response["allowed"]) == (UID, False)
    assert response["status"]["message"].startswith("mca busy: too many pods of namespace team-a")
    assert (response["status"]["code"], response["status"]["details"]) == (
        429, {"retryAfterSeconds": 1},
    )  # fmt: skip
    assert reviewed[1:] == ("refused", "busy")
    assert b"namespace (unknown) are" in refuse_busy("", "").body


def test_a_patch_has_a_largest_size() -> None:
    """Names are judged later: they come back in the patch."""
    pod = add_access(make_pod(make_container("x" * (1 << 20))))
    response, reviewed = answer(make_review(pod))
    assert (response["allowed"], reviewed.code) == (False, "too-large")
    most = add_access(make_pod(*(make_container(f"c{i}") for i in range(1000))))
    assert answer(make_review(most))[0]["allowed"]


def test_a_long_refusal_is_cut() -> None:
    response, _ = answer(make_review(make_pod(make_container("mca-" + "x" * 10_000))))
    assert len(response["status"]["message"]) == 4096


def test_a_long_warning_is_cut() -> None:
    name = "x" * 300
    pod = add_access(make_pod(make_container(name, envFrom=[{}])))
    response, _ = answer(make_review(pod))
    assert len(response["warnings"][0]) == 256


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "DELETE", "object": None},
        {"operation": "UPDATE", "object": make_pod(make_container("mca"))},
        {"operation": "CONNECT", "object": {"kind": "PodExecOptions"}},
        {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
        {"subResource": "ephemeralcontainers"},
    ],
)
def test_what_is_no_new_pod_passes(fields: dict[str, Any]) -> None:
    response, reviewed = answer(make_review(make_pod(), **fields))
    assert response == {"uid": UID, "allowed": True}
    assert reviewed[1:] == ("passed", "")


def without(key: str, **fields: Any) -> bytes:
    document = json.loads(make_review(make_pod(), **fields))
    del document["request"][key]
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "uid", "told"),
    [
        (b"", "", "the body is not JSON"),
        (b"{", "", "the body is not JSON"),
        (b"\xff\xfe", "", "the body is not JSON"),
        (b"[" * 100_000, "", "the body is not JSON"),
        (b"[]", "", "this is not an AdmissionReview"),
        (b'{"kind":"Pod"}', "", "this is not an AdmissionReview"),
        (make_review(make_pod()).replace(b"/v1", b"/v1beta1", 1), "", "apiVersion is not"),
        (without("uid"), "", "request.uid is missing"),
        (make_review(make_pod(), uid=7), "", "request.uid is missing"),
        (make_review(make_pod(), uid=""), "", "request.uid is missing"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":[]}', "",
         "request.uid is missing"),
        (without("object"), UID, "request.object is not a pod"),
        (make_review(None), UID, "request.object is not a pod"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_not_allowed(body: bytes, uid: str, told: str) -> None:
    response, reviewed = answer(body)
    assert (response["uid"], response["allowed"], response["status"]["code"]) == (uid, False, 400)
    assert response["status"]["message"].startswith(f"mca malformed: {told}")
    assert reviewed[1:] == ("malformed", "malformed")


def test_a_pod_that_is_none_is_refused() -> None:
    response, reviewed = answer(make_review({"spec": {"containers": "x"}}))
    assert "mca malformed: spec.containers is not a list" in response["status"]["message"]
    assert reviewed[1:] == ("refused", "malformed")
