"""The options of `mca install`: what they come to, and what a mistake in them is answered with."""

import argparse
from dataclasses import fields

import pytest
import yaml

from tests.webhook.cli.check.scene import CONTROL, SIDECAR
from tests.webhook.cli.test_entry import mca
from webhook.cli import main
from webhook.cli.install import name_option
from webhook.cli.install.options import (
    add_cluster_options,
    add_settings,
    parse_seconds,
    read_settings,
)
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings, list_problems

IMAGES = ("--sidecar-image", SIDECAR, "--control-image", CONTROL)


def parse(*arguments: str) -> InstallSettings:
    parser = argparse.ArgumentParser()
    add_settings(parser)
    add_cluster_options(parser)
    return read_settings(parser.parse_args([*IMAGES, *arguments]))


def test_what_is_not_said_is_the_usual() -> None:
    assert parse() == InstallSettings(sidecar_image=SIDECAR, control_image=CONTROL)


def test_what_is_said() -> None:
    settings = parse(
        "--admin-user", "eve", "--admin-user", "adam", "--admin-group", "ops",
        "--audience", "vault",
        "--replicas", "3", "--system-namespace", "mca", "--pull-secret", "regcred",
        "--api-server-port", "8443", "--cert-manager", "--service-monitor", "--dashboard",
    )  # fmt: skip
    assert settings == InstallSettings(
        sidecar_image=SIDECAR,
        control_image=CONTROL,
        admin_users=("eve", "adam"),
        admin_groups=("ops",),
        audiences=("vault",),
        replicas=3,
        namespace="mca",
        pull_secrets=("regcred",),
        api_server_ports=(8443,),
        cert_manager=True,
        service_monitor=True,
        dashboard=True,
    )


def test_every_problem_is_told_with_its_option() -> None:
    done = mca(
        "install", "--sidecar-image", "mca:1", "--control-image", "mca:2", "--replicas", "0",
        "--admin-group", "system:authenticated", "--audience", "",
        "--api-server-port", "0", "--pull-secret", "_",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (64, "")
    told = [line.split(": ")[1] for line in done.stderr.splitlines()]
    assert set(told) >= {
        "--sidecar-image", "--control-image", "--replicas",
        "--api-server-port", "--pull-secret", "--audience",
    }  # fmt: skip


def test_every_field_that_can_be_wrong_has_an_option() -> None:
    """A field without one is never set by us, so it cannot be wrong."""
    wrong = InstallSettings(
        sidecar_image="", control_image="", namespace="", admin_users=("",), audiences=("",),
        replicas=0, pull_secrets=("",), api_server_ports=(),
    )  # fmt: skip
    known = mca("install", "--help").stdout
    named = {name_option(problem).split(":")[0] for problem in list_problems(wrong)}
    assert len(named) >= 7
    assert [option for option in named if f"{option} " not in known] == []
    assert {field.name for field in fields(InstallSettings)} >= {"namespace", "pull_secrets"}


def test_printed_it_is_what_would_be_applied() -> None:
    done = mca("install", *IMAGES, "-o", "yaml", "--kubeconfig", "/none")
    assert (done.returncode, done.stderr) == (0, "")
    settings = InstallSettings(sidecar_image=SIDECAR, control_image=CONTROL)
    assert list(yaml.safe_load_all(done.stdout)) == build_objects(settings)


@pytest.mark.parametrize(
    "name", ["team/pods?x=", "kube-system/../..", "a/pods?watch=1#", "", "A", "-a", "a.b", "a" * 64]
)
@pytest.mark.parametrize(
    ("command", "option"),
    [("check", "-n"), ("check", "--system-namespace"), ("uninstall", "--system-namespace")],
)
def test_a_name_that_is_none_goes_into_no_path(
    command: str, option: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, f"{option}={name}" if option[1] == "-" else f"{option}{name}"])
    assert ended.value.code == (2 if command == "check" else 64)
    told = capsys.readouterr().err
    assert "is no name of a namespace" in told or "expected one argument" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("text", ["-1", "", "1.5", "3601", "x", "٣"])
def test_seconds_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="whole number of seconds from 0 to 3600"):
        parse_seconds(text)


def test_seconds() -> None:
    assert [parse_seconds(text) for text in ("0", "3600")] == [0, 3600]


@pytest.mark.parametrize("command", ["install", "uninstall", "check"])
def test_a_kubeconfig_that_is_not_there(command: str) -> None:
    arguments = IMAGES if command == "install" else ()
    done = mca(command, *arguments, "--kubeconfig", "/none")
    assert done.returncode == (2 if command == "check" else 64)
    assert "/none" in done.stderr
    assert len(done.stderr.splitlines()) == 1
