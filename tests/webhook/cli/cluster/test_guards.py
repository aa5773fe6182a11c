"""What is installed on a member: what was given, else what is there, and always home's account."""

import argparse
from typing import Any

import pytest

from webhook.cli.cluster.guards import choose_settings, list_missing_options, tell_guards
from webhook.guards.settings import DEFAULT_ADMIN_GROUPS, GuardSettings

IMAGE = f"registry.example.com/mca@sha256:{'a' * 64}"
ACCOUNT = "system:serviceaccount:mca-access:mca-home-0123abcd"
OTHER = "system:serviceaccount:mca-access:mca-home-ffffffff"
OWN = "system:serviceaccount:mca:mca-controller"


def make(**given: Any) -> argparse.Namespace:
    usual = {"sidecar_image": IMAGE, "control_image": IMAGE, "admin_user": [], "admin_group": []}
    return argparse.Namespace(**{**usual, **given})


def test_where_nothing_is_there() -> None:
    settings = choose_settings(make(admin_user=["root"]), None, ACCOUNT)
    assert settings.controllers == (ACCOUNT,)
    assert (settings.admin_users, settings.admin_groups) == (("root",), DEFAULT_ADMIN_GROUPS)
    assert settings.namespace == "mca-system"


def test_what_is_there_stays() -> None:
    there = GuardSettings(
        image=IMAGE,
        admin_users=("anna",),
        admin_groups=("admins",),
        controllers=(OWN, OTHER),
        audiences=("vault",),
        system_namespace="mca",
    )
    settings = choose_settings(make(), there, ACCOUNT)
    # Its own controller is the installation's to add; another home's account stays trusted.
    assert settings.controllers == (OTHER, ACCOUNT)
    assert (settings.admin_users, settings.admin_groups) == (("anna",), ("admins",))
    assert (settings.audiences, settings.namespace) == (("vault",), "mca")
    again = choose_settings(make(admin_group=["ops"]), there, OTHER)
    assert again.controllers == (OTHER,)
    assert (again.admin_users, again.admin_groups) == ((), ("ops",))


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (None, "is not enforced"),
        (GuardSettings(image=IMAGE), f"do not know {ACCOUNT}"),
        (GuardSettings(image=IMAGE, controllers=(ACCOUNT,)), ""),
    ],
    ids=["none", "others", "ours"],
)
def test_what_lacks_is_told(
    capsys: pytest.CaptureFixture[str], there: GuardSettings | None, told: str
) -> None:
    tell_guards(there, ACCOUNT, "eu-admin")
    shown = capsys.readouterr().out
    assert (told in shown) if told else not shown
    assert not told or f"--controller {ACCOUNT}" in shown


def test_both_images_or_none() -> None:
    assert not list_missing_options(make())
    assert not list_missing_options(make(sidecar_image=None, control_image=None))
    assert list_missing_options(make(control_image=None)) == ["--control-image"]
