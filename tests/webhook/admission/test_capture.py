"""Capture by name: aliases and a sysctl beside what the pod has of them, and the way back."""

from collections.abc import Callable
from typing import Any

import pytest

from sidecar.mint import DNS_NAMES
from tests.controlplane import ControlPlane, choose_port
from tests.raw_client import RawClient
from tests.sidecar_process import SidecarProcess
from webhook.admission.capture import (
    NAMES,
    SYSCTL,
    add_capture,
    find_conflicts,
    remove_capture,
)

OURS = [{"ip": address, "hostnames": list(NAMES)} for address in ("127.0.0.1", "::1")]
PORT_RIGHT = {"name": SYSCTL, "value": "1"}


def aliases(ip: str, *names: str) -> dict[str, Any]:
    return {"hostAliases": [{"ip": ip, "hostnames": list(names)}]}


def sysctl(value: object, name: str = SYSCTL) -> dict[str, Any]:
    return {"securityContext": {"sysctls": [{"name": name, "value": value}]}}


def test_the_sidecars_certificate_has_every_name() -> None:
    assert set(NAMES) <= set(DNS_NAMES)


@pytest.mark.apiserver
def test_a_second_listener_answers_to_every_name(
    control_plane: ControlPlane, make_sidecar: Callable[..., SidecarProcess]
) -> None:
    """As clients write them, who leave out 443; its port is another here."""
    port = choose_port()
    sidecar = make_sidecar(
        control_plane, env={"MCA_API_LISTEN": f"127.0.0.1:{{port}},127.0.0.1:{port}"}
    )
    bearer = f"Authorization: Bearer {sidecar.token()}"
    for name in NAMES:
        for host in (name, f"{name}:443"):
            address = ("127.0.0.1", port)
            with RawClient(address, context=sidecar.trust(), server_hostname=name) as client:
                head = f"GET /api/v1/namespaces HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n\r\n"
                assert client.ask(head.encode()).status == 200


@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        ({}, {"hostAliases": OURS, "securityContext": {"sysctls": [PORT_RIGHT]}}),
        (
            {"securityContext": {"runAsUser": 1}} | aliases("10.0.0.1", "db"),
            {
                "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}, *OURS],
                "securityContext": {"runAsUser": 1, "sysctls": [PORT_RIGHT]},
            },
        ),
        (
            aliases("127.0.0.1", "me", NAMES[1]) | sysctl("80"),
            {
                "hostAliases": [
                    {"ip": "127.0.0.1", "hostnames": ["me", NAMES[1], NAMES[0], NAMES[2]]},
                    OURS[1],
                ]
            },
        ),
        ({"hostAliases": OURS} | sysctl("0"), {}),
        ({"hostAliases": OURS} | sysctl("443", SYSCTL.replace(".", "/")), {}),
        (
            {"hostAliases": OURS} | sysctl("1", "net.ipv4.tcp_syncookies"),
            {
                "securityContext": {
                    "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}, PORT_RIGHT]
                }
            },
        ),
    ],
)
def test_added(spec: dict[str, Any], changed: dict[str, Any]) -> None:
    assert list(find_conflicts(spec)) == []
    assert add_capture(spec) == changed
    assert add_capture({**spec, **changed}) == {}


@pytest.mark.parametrize(
    ("spec", "code", "told"),
    [
        (aliases("10.0.0.1", "db", NAMES[1]), "host-alias-conflict", "leads to 10.0.0.1"),
        (aliases("127.0.0.2", NAMES[2]), "host-alias-conflict", NAMES[2]),
        ({"hostAliases": [{"hostnames": [NAMES[0]]}]}, "host-alias-conflict", "leads to None"),
        (sysctl("444"), "sysctl-conflict", "is 444, and the sidecar needs port 443"),
        (sysctl("1024", SYSCTL.replace(".", "/")), "sysctl-conflict", "is 1024"),
        (sysctl("-1"), "sysctl-conflict", "is -1"),
        (sysctl("9" * 5000), "sysctl-conflict", "is 9"),
        (sysctl(None), "sysctl-conflict", "is None"),
    ],
)
def test_conflicts(spec: dict[str, Any], code: str, told: str) -> None:
    (conflict,) = find_conflicts(spec)
    assert conflict.code == code
    assert told in conflict.reason
    assert "mca.io/capture" in conflict.reason


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"securityContext": {"runAsUser": 1}},
        aliases("127.0.0.1", "me"),
        aliases("10.0.0.1", "db") | sysctl("0"),
        sysctl("443") | aliases("::1", "me"),
    ],
)
def test_the_way_back(spec: dict[str, Any]) -> None:
    assert remove_capture({**spec, **add_capture(spec)}) == spec
    assert remove_capture(spec) == spec
