"""Keepers on a real API server, with a clock of ours: months of production in seconds."""

import base64
import datetime as dt
import json
import random
import re
import time
from dataclasses import dataclass, field

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from tests.webhook.certificates.scene import (
    NAMESPACE,
    REGISTRATION,
    SECRET,
    SERVER_NAME,
    SHOWN,
    Installed,
)
from webhook.certificates.keeper import Keeper
from webhook.certificates.own_certificate import list_names
from webhook.certificates.planning import Lifetimes
from webhook.certificates.shared_objects import SharedObjects
from webhook.certificates.signing import Pair
from webhook.kube import open_kubeconfig

DAY_S = 86400.0


@dataclass
class Heard:
    """What a keeper said."""

    served: list[Pair] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    counted: list[bool] = field(default_factory=list)

    def take(self, pair: Pair) -> None:
        self.served.append(pair)

    def tell(self, lack: str, authority_ends: float) -> None:
        self.lacks.append(lack)

    def count(self, *, repair: bool) -> None:
        self.counted.append(repair)


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = time.time()
        self.broken = False

    def __call__(self) -> float:
        if self.broken:
            self.broken = False
            raise ArithmeticError("a secret")
        return self.now


def start_keeper(installed: Installed, clock: Clock) -> tuple[Keeper, Heard]:
    heard = Heard()
    kube = open_kubeconfig(path=str(installed.plane.admin_kubeconfig()))
    shared = SharedObjects(kube, NAMESPACE)
    names = list_names(NAMESPACE, "mca-webhook")
    return Keeper(shared, names, Lifetimes(), heard, clock), heard


def verify(pair: Pair, bundle: str, now: float) -> None:
    """As a verifier would at that time; raises."""
    trusted = x509.load_pem_x509_certificates(bundle.encode())
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    verifier = (
        PolicyBuilder()
        .store(Store(trusted))
        .time(moment)
        .build_server_verifier(x509.DNSName(SERVER_NAME))
    )
    verifier.verify(x509.load_pem_x509_certificate(pair.certificate.pem.encode()), [])


def test_a_season_of_production(installed: Installed) -> None:
    """Three CAs follow each other, and at each half day what is served with is trusted."""
    clock, order = Clock(), random.Random(5)
    began = clock.now
    keepers = [start_keeper(installed, clock) for _ in range(2)]
    trusted_counts = set()
    while clock.now < began + 130 * DAY_S:
        for keeper, _ in order.sample(keepers, 2):
            while keeper.advance():
                pass
        clock.now += 301  # what is new settles
        for keeper, heard in keepers:
            keeper.advance()
            bundles = installed.read_bundles()
            assert len(set(bundles)) == 1
            trusted_counts.add(bundles[0].count("BEGIN"))
            verify(heard.served[-1], bundles[0], clock.now)
        clock.now += order.choice([0.3, 0.5, 0.6]) * DAY_S
    assert trusted_counts == {1, 2}
    issuers = [keeper.serving.issuer for keeper, _ in keepers if keeper.serving]
    assert len(set(issuers)) == 1
    assert len(installed.read_authorities()) == 2
    assert set().union(*(heard.counted for _, heard in keepers)) == {True}
    for _, heard in keepers:
        ends = [pair.certificate.not_after for pair in heard.served]
        assert ends == sorted(ends)
        assert len(ends) > 130


def test_it_outlives_what_nobody_foresaw(
    installed: Installed, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    keeper, heard = start_keeper(installed, clock)
    clock.broken = True
    assert keeper.attempt() <= 2
    told = r"no certificate: ArithmeticError at test_keeper\.py:\d+ while keeping certificates"
    assert re.fullmatch(told, heard.lacks[-1])
    assert heard.counted == [False]
    while heard.lacks[-1]:
        keeper.attempt()
    clock.broken = True
    keeper.attempt()
    assert heard.lacks[-1] == ""
    assert "a secret" not in capfd.readouterr().out


def test_one_that_hears_nothing_ends_with_its_certificate(
    installed: Installed,
) -> None:
    """It signs by what it has seen for as long as it may, and then is not ready."""
    clock = Clock()
    keeper, heard = start_keeper(installed, clock)
    while keeper.attempt() < 1:
        pass
    (bundle, *_) = installed.read_bundles()
    installed.plane.request("DELETE", SECRET)
    for days in range(1, 180):
        clock.now += DAY_S / 2
        keeper.attempt()
        assert heard.lacks[-1] == "", days
        verify(heard.served[-1], bundle, clock.now)
    clock.now += DAY_S
    keeper.attempt()
    assert heard.lacks[-1].startswith("no certificate: the Secret mca-system/mca-webhook-ca is not")


def test_what_a_later_release_keeps_stays_as_it_is(
    installed: Installed, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    old, old_heard = start_keeper(installed, clock)
    while old.attempt() < 1:
        pass
    data = {"authorities.json": base64.b64encode(b'{"version": 2}').decode()}
    installed.patch(SECRET, {"data": data})
    before = installed.read(SECRET), installed.read(REGISTRATION)
    new, new_heard = start_keeper(installed, clock)
    for keeper in (old, new, old, new):
        keeper.attempt()
    assert (installed.read(SECRET), installed.read(REGISTRATION)) == before
    # Who has a certificate goes on; who has none says why.
    assert old_heard.lacks[-1] == ""
    told = "authorities.json is of version 2, this is 1"
    assert new_heard.lacks[-1] == f"no certificate: {told}"
    assert capfd.readouterr().out.count(told) == 2


def test_without_the_map_that_shows_the_ca_it_serves(
    installed: Installed, capfd: pytest.CaptureFixture[str]
) -> None:
    installed.plane.request("DELETE", SHOWN)
    keeper, heard = start_keeper(installed, Clock())
    for _ in range(6):
        keeper.attempt()
    assert heard.lacks[-1] == ""
    assert False not in heard.counted
    assert capfd.readouterr().out.count('"event":"ca_not_shown"') == 1
    installed.apply(SHOWN.rpartition("/")[0], installed.applied["ConfigMap"])
    keeper.attempt()
    assert installed.read(SHOWN)["data"] == {"ca.crt": installed.read_bundles()[0]}


def test_each_thing_that_is_wrong_is_told_once(
    installed: Installed, capfd: pytest.CaptureFixture[str]
) -> None:
    """An entry that is of no use, and a Secret that cannot be written, both at every look."""
    clock = Clock()
    keeper, _ = start_keeper(installed, clock)
    while keeper.attempt() < 1:
        pass
    document = {"version": 1, "authorities": [*installed.read_authorities(), {}]}
    data = {"authorities.json": base64.b64encode(json.dumps(document).encode()).decode()}
    installed.patch(SECRET, {"data": data})
    installed.patch(SECRET, {"immutable": True})
    clock.now += 61 * DAY_S
    for _ in range(3):
        keeper.attempt()
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    warnings = [line["event"] for line in lines if line["level"] == "warning"]
    assert sorted(warnings) == ["authorities_replaced", "certificates_kept_as_they_are"]
