"""Two replicas, a real API server that calls them, and pods that are created all the while."""

import base64
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.webhook.certificates.scene import (
    REGISTRATION,
    SECRET,
    SERVER_NAME,
    SHOWN,
    Installed,
    Replica,
)
from webhook.certificates.signing import make_authority, read_certificates, sign_serving

# The next CA comes after 16 s, is trusted for 2 s before it signs, and the first ends after 24.
SHORT = {
    "MCA_WEBHOOK_CA_SECONDS": "24",
    "MCA_WEBHOOK_LEAF_SECONDS": "12",
    "MCA_WEBHOOK_SETTLE_SECONDS": "2",
}


def wait_until(is_so: Callable[[], object], seconds: float = 20.0) -> float:
    """How long it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds
        time.sleep(0.01)
    return time.monotonic() - began


def list_ids(installed: Installed) -> list[list[str]]:
    """Of what each webhook trusts."""
    return [
        [found.id for found in read_certificates(bundle)] for bundle in installed.read_bundles()
    ]


def trusts(installed: Installed, count: int) -> bool:
    return all(len(ids) == count for ids in list_ids(installed))


def test_replicas_that_begin_at_once_share_one_authority(installed: Installed) -> None:
    before = installed.read(REGISTRATION)
    assert [entry["clientConfig"].get("caBundle") for entry in before["webhooks"]] == [None] * 3
    replicas = [installed.start_replica() for _ in range(3)]
    for replica in replicas:
        replica.wait()
    (authority,) = installed.read_authorities()
    bundles = installed.read_bundles()
    assert bundles == [authority["certificate"]] * 3
    for replica in replicas:
        replica.shake_hands(bundles[0])
    wait_until(lambda: installed.read(SHOWN).get("data") == {"ca.crt": bundles[0]})
    installed.create_namespace("certificates-begin")
    assert [installed.create_pod("certificates-begin") for _ in range(3)] == [""] * 3
    after = installed.read(REGISTRATION)
    for found in (before, after):
        for entry in found["webhooks"]:
            entry["clientConfig"].pop("caBundle", None)
        for field in ("resourceVersion", "generation", "managedFields"):
            found["metadata"].pop(field, None)
    assert after == before
    # Applying what was installed again takes nothing away.
    installed.apply(
        REGISTRATION.rpartition("/")[0], installed.applied["MutatingWebhookConfiguration"]
    )
    installed.apply(SECRET.rpartition("/")[0], installed.applied["Secret"])
    installed.apply(SHOWN.rpartition("/")[0], installed.applied["ConfigMap"])
    assert installed.read(SHOWN)["data"] == {"ca.crt": bundles[0]}
    assert installed.read_bundles() == bundles
    assert installed.read_authorities()[0]["key"] == authority["key"]
    assert installed.read(SECRET)["type"] == "Opaque"


def test_nothing_tells_a_key(installed: Installed) -> None:
    replica = installed.start_replica().wait()
    (authority,) = installed.read_authorities()
    secret_line = authority["key"].splitlines()[1]
    assert secret_line not in replica.log()
    assert "PRIVATE" not in replica.log()
    environment = Path(f"/proc/{replica.process.pid}/environ").read_bytes().decode()
    assert secret_line not in environment
    open_files = [os.readlink(entry) for entry in Path(f"/proc/{replica.process.pid}/fd").iterdir()]
    assert not [name for name in open_files if "mca-certificate" in name]


def test_what_it_may_do_is_what_it_does(installed: Installed) -> None:
    """With one right less of the installation's, it does not come up; more it has not."""
    user = "system:serviceaccount:mca-system:mca-webhook"
    for verb, group, resource, name, allowed in (
        ("create", "", "secrets", "", False),
        ("list", "", "secrets", "", False),
        ("get", "", "secrets", "other", False),
        ("delete", "", "secrets", "mca-webhook-ca", False),
        ("update", "", "secrets", "mca-webhook-ca", True),
        ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", False),
        ("patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "x", False),
        ("delete", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "mca", False),
        ("patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "mca", True),
    ):
        attributes = {
            "namespace": "mca-system" if resource == "secrets" else "",
            "verb": verb, "group": group, "resource": resource, "name": name,
        }  # fmt: skip
        review = installed.plane.create(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {"spec": {"user": user, "resourceAttributes": attributes}},
        )
        assert review["status"]["allowed"] is allowed, attributes
    replica = installed.start_replica().wait()
    wait_until(lambda: replica.ask("/metrics")[1].count("\nmca_webhook_bundle_repairs_total 1.0"))
    assert "\nmca_webhook_certificate_failures_total 0.0" in replica.ask("/metrics")[1]
    assert replica.events("certificates_kept_as_they_are") == []
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/mca-webhook"
    rights = installed.read(role)
    try:
        installed.patch(role, {"rules": []})
        second = installed.start_replica()
        wait_until(lambda: second.events("certificates_kept_as_they_are"))
        status, body = second.ask("/readyz")
        assert status == 503
        assert body.startswith("no certificate: mutatingwebhookconfigurations.")
        assert f'User "{user}" cannot get resource' in body
        assert second.ask("/livez")[0] == 200
    finally:
        installed.patch(role, {"rules": rights["rules"]})
    second.wait()
    assert "\nmca_webhook_certificate_failures_total 0.0" not in second.ask("/metrics")[1]


def test_no_pod_is_refused_while_all_certificates_are_renewed(installed: Installed) -> None:
    replicas = [installed.start_replica(**SHORT) for _ in range(2)]
    for replica in replicas:
        replica.wait()
    installed.create_namespace("certificates-renewed")
    first = list_ids(installed)[0]
    serials: set[str] = set()
    most = 0
    with installed.create_pods("certificates-renewed") as told:
        end = time.monotonic() + 27
        while time.monotonic() < end:
            trusted = installed.read_bundles()
            assert len(set(trusted)) == 1
            most = max(most, len(read_certificates(trusted[0])))
            # Whom a connection made just now would meet, and whether it is trusted.
            serials |= {replica.shake_hands(trusted[0]) for replica in replicas}
            time.sleep(0.05)
    assert set(told) == {""}
    assert len(told) > 100
    last = list_ids(installed)[0]
    assert not {*first} & {*last}
    assert len(last) <= most == 2
    assert len(serials) >= 6
    made = [line for replica in replicas for line in replica.events("authority_made")]
    assert len(made) == 2
    signed = {line["authority"] for line in replicas[0].events("certificate_signed")}
    assert signed == {line["authority"] for line in replicas[1].events("certificate_signed")}
    assert len(signed) == 2


def test_no_pod_is_refused_while_replicas_are_replaced(installed: Installed) -> None:
    slow = {**SHORT, "MCA_WEBHOOK_DRAIN": "4"}  # for whoever has to notice that it ends
    old = [installed.start_replica(**slow) for _ in range(2)]
    for replica in old:
        replica.wait()
    installed.create_namespace("certificates-rollout")
    with installed.create_pods("certificates-rollout") as told:
        for replica in old:
            installed.start_replica(**SHORT).wait()
            replica.stop()
    assert set(told) == {""}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"caBundle": None}, id="taken out"),
        pytest.param({"caBundle": base64.b64encode(b"\n").decode()}, id="empty"),
        pytest.param({"caBundle": base64.b64encode(b"nonsense").decode()}, id="spoiled"),
    ],
)
def test_a_ca_bundle_that_was_reset_is_written_again(
    installed: Installed, spoil: dict[str, Any]
) -> None:
    for _ in range(2):
        installed.start_replica().wait()
    installed.create_namespace("certificates-drift")
    (bundle, *_) = installed.read_bundles()
    webhooks = installed.read(REGISTRATION)["webhooks"]
    webhooks[1]["clientConfig"] |= spoil
    webhooks[1]["timeoutSeconds"] = 7  # somebody's own setting stays
    installed.patch(REGISTRATION, {"webhooks": webhooks})
    # Seen by a watch: the next look without one is after 15 s.
    took = wait_until(lambda: installed.read_bundles() == [bundle] * 3)
    assert took < 5
    assert installed.read(REGISTRATION)["webhooks"][1]["timeoutSeconds"] == 7
    assert installed.create_pod("certificates-drift") == ""


def test_no_pod_is_refused_on_the_way_from_files(installed: Installed, tmp_path: Path) -> None:
    """Somebody else's CA, cert-manager's say, stays trusted beside ours while its last leave."""
    authority = make_authority(time.time(), 86400)
    pair = sign_serving(authority, (SERVER_NAME,), time.time(), 3600)
    (tmp_path / "tls.crt").write_text(pair.certificate.pem)
    (tmp_path / "tls.key").write_text(pair.key_pem)
    bundle = base64.b64encode(authority.certificate.pem.encode()).decode()
    webhooks = installed.read(REGISTRATION)["webhooks"]
    for entry in webhooks:
        entry["clientConfig"]["caBundle"] = bundle
    installed.patch(REGISTRATION, {"webhooks": webhooks})
    old = installed.start_replica(
        MCA_WEBHOOK_CERTIFICATES="files",
        MCA_WEBHOOK_CERT=str(tmp_path / "tls.crt"),
        MCA_WEBHOOK_KEY=str(tmp_path / "tls.key"),
        MCA_WEBHOOK_DRAIN="4",
    ).wait()
    ends = '\nmca_webhook_certificate_expiry_timestamp_seconds{certificate="serving"} '
    assert ends in old.ask("/metrics")[1]
    installed.create_namespace("certificates-files")
    with installed.create_pods("certificates-files") as told:
        new = installed.start_replica().wait()
        old.stop()
    assert set(told) == {""}
    trusted = installed.read_bundles()[0]
    assert authority.certificate.pem in trusted
    new.shake_hands(trusted)
    assert trusts(installed, 2)


def test_a_registration_that_was_made_anew(installed: Installed) -> None:
    """Nothing is refused for longer than it takes to notice."""
    installed.start_replica().wait()
    bundles = installed.read_bundles()
    installed.plane.request("DELETE", REGISTRATION)
    installed.apply(
        REGISTRATION.rpartition("/")[0], installed.applied["MutatingWebhookConfiguration"]
    )
    assert wait_until(lambda: installed.read_bundles() == bundles) < 5


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param({"authorities.json": None}, "", id="emptied"),
        pytest.param(
            {"authorities.json": base64.b64encode(b"{}").decode()},
            "authorities.json is none of version 1",
            id="spoiled",
        ),
        pytest.param({"authorities.json": "foreign"}, "", id="another's"),
        pytest.param({"authorities.json": "ended"}, "", id="ended"),
    ],
)
def test_a_secret_that_lost_its_authority_gets_another(
    installed: Installed, data: dict[str, Any], problem: str
) -> None:
    settle = {"MCA_WEBHOOK_SETTLE_SECONDS": "2"}
    replicas = [installed.start_replica(**settle) for _ in range(2)]
    for replica in replicas:
        replica.wait()
    installed.create_namespace("certificates-lost")
    (before, *_) = list_ids(installed)
    now = time.time()
    known = {"foreign": make_authority(now, 3600), "ended": make_authority(now - 900, 800)}
    if pair := known.get(str(data["authorities.json"])):
        entry = {"certificate": pair.certificate.pem, "key": pair.key_pem}
        document = json.dumps({"version": 1, "authorities": [entry]}).encode()
        data = {"authorities.json": base64.b64encode(document).decode()}
    with installed.create_pods("certificates-lost") as told:
        installed.patch(SECRET, {"data": data})
        wait_until(lambda: all(len(r.events("certificate_signed")) == 2 for r in replicas))
        wait_until(lambda: installed.create_pod("certificates-lost") == "")
        time.sleep(0.5)
    assert set(told) == {""}
    # What was in use stays trusted, for whoever has not heard of the loss.
    (after, *_) = list_ids(installed)
    assert after[-1:] == before or before[0] in after
    assert len(after) == 2
    trusted = installed.read_bundles()[0]
    wait_until(lambda: installed.read(SHOWN).get("data") == {"ca.crt": trusted})
    authorities = installed.read_authorities()
    assert len(authorities) == 1
    if "foreign" in known and pair is known["foreign"]:
        assert authorities[0]["certificate"] == pair.certificate.pem
    said = [line["problem"] for r in replicas for line in r.events("authorities_replaced")]
    assert said in ([], [problem], [problem] * 2) if problem else not said


def test_a_ca_whose_key_got_out_is_trusted_no_more(installed: Installed) -> None:
    """The Secret is emptied, and once another CA signs, so is the caBundle."""
    replica = installed.start_replica(MCA_WEBHOOK_SETTLE_SECONDS="2").wait()
    (before, *_) = list_ids(installed)
    installed.patch(SECRET, {"data": None})
    wait_until(lambda: len(replica.events("certificate_signed")) == 2)
    assert trusts(installed, 2)
    webhooks = installed.read(REGISTRATION)["webhooks"]
    for entry in webhooks:
        entry["clientConfig"]["caBundle"] = None
    installed.patch(REGISTRATION, {"webhooks": webhooks})
    wait_until(lambda: trusts(installed, 1))
    assert before[0] not in list_ids(installed)[0]
    replica.shake_hands(installed.read_bundles()[0])


def test_without_its_secret_it_says_what_to_do(installed: Installed) -> None:
    running = installed.start_replica().wait()
    installed.create_namespace("certificates-gone")
    installed.plane.request("DELETE", SECRET)
    wait_until(lambda: running.events("certificates_kept_as_they_are"))
    assert installed.create_pod("certificates-gone") == ""
    second = installed.start_replica()
    wait_until(lambda: second.events("certificates_kept_as_they_are"))
    assert second.ask("/readyz") == (
        503,
        "no certificate: the Secret mca-system/mca-webhook-ca is not there: "
        "apply the manifests again\n",
    )
    installed.apply(SECRET.rpartition("/")[0], installed.applied["Secret"])
    second.wait()


def test_an_api_server_that_is_down(
    make_control_plane: Callable[..., ControlPlane], tmp_path: Path
) -> None:
    plane = make_control_plane()
    installed = Installed(plane, tmp_path)
    try:
        running = installed.start_replica().wait()
        (trusted, *_) = installed.read_bundles()
        plane.kill_api_server()
        wait_until(lambda: running.events("certificates_kept_as_they_are"))
        running.shake_hands(trusted)
        assert running.is_ready()
        began = Replica(tmp_path, plane, installed.token)
        installed.balancer.replicas.append(began)
        wait_until(lambda: began.events("certificates_kept_as_they_are"))
        assert began.ask("/livez") == (200, "ok\n")
        assert began.ask("/readyz") == (
            503,
            f"no certificate: {plane.url}: Connection refused\n",
        )
        plane.start_api_server()
        began.wait()
        began.shake_hands(trusted)
        assert running.is_ready()
        assert len(running.events("certificate_signed")) == 1
    finally:
        installed.stop()


def test_before_there_is_a_registration_it_is_ready(installed: Installed) -> None:
    """The registration is the last that is applied, and waits for ready replicas or not."""
    installed.plane.request("DELETE", REGISTRATION)
    replica = installed.start_replica().wait()
    installed.apply(
        REGISTRATION.rpartition("/")[0], installed.applied["MutatingWebhookConfiguration"]
    )
    wait_until(lambda: trusts(installed, 1))
    replica.shake_hands(installed.read_bundles()[0])
    signed = replica.events("certificate_signed")
    assert len(signed) == 1
