import base64
import json

import pytest

from sidecar.policy.fields import Check, read_json
from sidecar.policy.snapshot_broker import Broker, read_broker

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n"
SERVER = "https://mca-broker.mca-system.svc:8444"
GOOD = {"server": SERVER, "caBundle": base64.b64encode(PEM).decode()}


def read(value: object) -> tuple[Broker | None, list[str]]:
    check = Check()
    return read_broker(check, read_json(json.dumps(value).encode())), check.errors


def test_a_good_broker() -> None:
    assert read(GOOD) == (Broker(SERVER, "mca-broker.mca-system.svc", 8444, PEM), [])


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "broker: must be an object"),
        ({"server": SERVER}, "broker.caBundle: is missing"),
        (GOOD | {"token": "t"}, "broker.token: is not a field of version 1"),
        (GOOD | {"server": "http://broker"}, "broker.server: must be https://host"),
        (GOOD | {"caBundle": "none"}, "broker.caBundle: must be the CA certificates"),
        (GOOD | {"caBundle": {"caFile": "/ca"}}, "broker.caBundle: must be the CA certificates"),
    ],
)
def test_one_thing_wrong(value: object, error: str) -> None:
    found, errors = read(value)
    assert found is None
    assert len(errors) == 1
    assert error in errors[0]
