"""The token that is kept at home: one without an end where the member gives it, else one that says
when it ends."""

import base64
from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from webhook.cli.cluster.credential import fetch_credential
from webhook.cli.cluster.identity import Home
from webhook.cli.cluster.member_objects import build_account, build_token_secret
from webhook.cli.cluster.steps import StepError, Steps
from webhook.kube import open_server

HOME = Home("c0ffee00-1111", "mca-system")
SECRETS = "/api/v1/namespaces/mca-access/secrets"


@pytest.fixture
def steps(control_plane: ControlPlane) -> Iterator[Steps]:
    kube = open_server(control_plane.url, control_plane.ca_pem, token=control_plane.tokens["admin"])
    yield Steps(kube, "eu-1")
    for name in ("filled", "empty"):
        control_plane.request("DELETE", f"{SECRETS}/{name}-token")
    kube.close()


def test_what_the_member_has_filled_is_taken(
    control_plane: ControlPlane, steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    steps.apply(build_account(HOME, "filled"))
    secret = build_token_secret(HOME, "filled")
    secret["data"] = {"token": base64.b64encode(b"abc.def.ghi").decode()}
    control_plane.create(SECRETS, secret)
    found = fetch_credential(steps, HOME, "filled")
    assert (found.token.reveal(), found.ends) == (b"abc.def.ghi", "")
    assert "abc.def" not in capsys.readouterr().out


def test_else_one_with_an_end_is_asked_for(
    control_plane: ControlPlane, steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    steps.apply(build_account(HOME, "empty"))
    found = fetch_credential(steps, HOME, "empty")
    assert f"until {found.ends}" in capsys.readouterr().out
    token = found.token.reveal().decode()
    answer = control_plane.request("GET", "/version", token=token)
    assert answer.status == 200
    # Nothing is left that somebody could fill.
    assert control_plane.request("GET", f"{SECRETS}/empty-token").status == 404


def test_what_is_refused_is_said(steps: Steps) -> None:
    with pytest.raises(StepError, match="eu-1: a token of no-account: "):
        fetch_credential(steps, HOME, "no-account")
