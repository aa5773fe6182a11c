"""Who only signs, beside a keeper on a real API server: with the rights of the controller."""

import asyncio
import ssl
import time

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from prometheus_client import CollectorRegistry, generate_latest

from tests.controlplane.certificates import Authority
from tests.webhook.certificates.scene import NAMESPACE, SECRET, SHOWN, Installed
from tests.webhook.certificates.test_keeper import Clock, Heard, start_keeper
from webhook.certificates.broker_certificate import SignedCertificate, open_certificate
from webhook.certificates.file_certificate import FileCertificate
from webhook.certificates.follower import Follower
from webhook.certificates.keeper import Keeper
from webhook.certificates.own_certificate import list_names, load_pair
from webhook.certificates.planning import Lifetimes
from webhook.certificates.shared_objects import SharedObjects
from webhook.certificates.signing import Pair
from webhook.controller.engine.settings import ControllerSettings
from webhook.kube import Kube, open_server

BROKER = "mca-broker.mca-system.svc"


def open_controller(installed: Installed) -> Kube:
    """As its account: it may look, and nothing else."""
    plane = installed.plane
    return open_server(plane.url, plane.ca_pem, token=plane.token(NAMESPACE, "mca-controller"))


def start_follower(installed: Installed, clock: Clock) -> tuple[Follower, Heard]:
    heard = Heard()
    shared = SharedObjects(open_controller(installed), NAMESPACE)
    names = list_names(NAMESPACE, "mca-broker")
    return Follower(shared, names, Lifetimes(), heard, clock), heard


def settle(keeper: Keeper) -> None:
    while keeper.advance():
        pass


def shake_hands(context: ssl.SSLContext, trusted: str, name: str = BROKER) -> str:
    """The serial number that a sidecar sees, which trusts what its snapshot says."""
    trust = ssl.create_default_context(cadata=trusted)
    bios = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(bios[0], bios[1], server_hostname=name)
    server = context.wrap_bio(bios[1], bios[0], server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return str((client.getpeercert() or {})["serialNumber"])


def is_signed_by(pair: Pair, authority: str) -> bool:
    """Whatever the time is."""
    found = x509.load_pem_x509_certificate(pair.certificate.pem.encode())
    try:
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    except (InvalidSignature, ValueError):
        return False
    return True


def serving(heard: Heard) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(context, heard.served[-1])
    return context


def test_it_signs_once_its_authority_is_shown(installed: Installed) -> None:
    clock = Clock()
    follower, heard = start_follower(installed, clock)
    follower.attempt()
    assert heard.served == []
    assert "is in the ConfigMap mca-webhook-ca yet" in heard.lacks[-1]
    keeper, _ = start_keeper(installed, clock)
    settle(keeper)
    follower.attempt()
    assert heard.lacks[-1] == ""
    (first,) = heard.served
    shown = installed.read(SHOWN)["data"]["ca.crt"]
    for name in (BROKER, f"{BROKER}.cluster.local"):
        assert shake_hands(serving(heard), shown, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(serving(heard), shown, "mca-webhook.mca-system.svc")
    # It is renewed after two thirds of its life, and follows the next authority once that settled.
    follower.attempt()
    assert heard.served == [first]
    clock.now += 17 * 3600
    follower.attempt()
    assert len(heard.served) == 2
    clock.now += 61 * 86400
    settle(keeper)
    clock.now += 400
    follower.attempt()
    assert len(heard.served) == 3
    newest, oldest = (installed.read_authorities()[place]["certificate"] for place in (-1, 0))
    assert is_signed_by(heard.served[-1], newest)
    assert not is_signed_by(heard.served[-1], oldest)
    assert newest in installed.read(SHOWN)["data"]["ca.crt"]


def test_it_goes_on_with_what_it_saw(
    installed: Installed, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    settle(start_keeper(installed, clock)[0])
    follower, heard = start_follower(installed, clock)
    follower.attempt()
    shown = installed.read(SHOWN)["data"]["ca.crt"]
    installed.plane.request("DELETE", SECRET)
    clock.now += 17 * 3600
    follower.attempt()
    assert len(heard.served) == 2  # by what it had seen
    assert heard.counted == [False]
    assert is_signed_by(heard.served[-1], shown)
    assert "is not there: apply the manifests again" in capfd.readouterr().out
    follower.attempt()
    assert "certificates_not_seen" not in capfd.readouterr().out  # once
    clock.now += 86400 * 100
    follower.attempt()
    assert "apply the manifests again" in heard.lacks[-1]


def test_nonsense_is_not_signed_with(installed: Installed) -> None:
    clock = Clock()
    settle(start_keeper(installed, clock)[0])
    for told in ("nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ""):
        installed.patch(SHOWN, {"data": {"ca.crt": told}})
        follower, heard = start_follower(installed, clock)
        follower.attempt()
        assert heard.served == []
        assert heard.lacks[-1]


async def test_a_broker_gets_ready_by_itself(installed: Installed) -> None:
    settings = ControllerSettings(namespace=NAMESPACE)
    found = open_certificate(settings, open_controller(installed))
    assert isinstance(found, SignedCertificate)
    assert found.lacks
    lacks: list[str] = []
    ending, registry = asyncio.Event(), CollectorRegistry()
    keeping = asyncio.ensure_future(found.keep(ending, registry, lacks.append))
    keeper, _ = start_keeper(installed, Clock())
    await asyncio.to_thread(settle, keeper)
    began = time.monotonic()
    while not lacks or lacks[-1]:
        assert time.monotonic() < began + 10, lacks
        await asyncio.sleep(0.02)
    assert shake_hands(found.context, installed.read(SHOWN)["data"]["ca.crt"])
    name = b'mca_controller_certificate_expiry_timestamp_seconds{certificate="serving"}'
    assert name in generate_latest(registry)
    ending.set()
    await keeping


def test_files_of_somebody_else(installed: Installed) -> None:
    authority = Authority(installed.folder, "files")
    pair = authority.issue_server("broker", [BROKER])
    settings = ControllerSettings(
        certificates="files", cert_path=str(pair.certificate), key_path=str(pair.key)
    )
    kube = open_controller(installed)
    assert isinstance(open_certificate(settings, kube), FileCertificate)
    problem = open_certificate(settings._replace(key_path="/nowhere"), kube)
    assert isinstance(problem, str)
    assert problem.startswith("MCA_CONTROLLER_CERT, MCA_CONTROLLER_KEY: ")
