"""What the guards look like as manifests."""

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from webhook.guards.__main__ import main
from webhook.guards.rendering import make_guards, render_manifests, render_yaml
from webhook.guards.settings import GuardSettings

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = GuardSettings(image=f"mca@sha256:{'a' * 64}")


def test_each_guard_is_one_policy_that_denies_in_doubt_and_one_binding() -> None:
    manifests = render_manifests(SETTINGS)
    policies, bindings = manifests[::2], manifests[1::2]
    assert len(policies) == len(bindings) == len(make_guards(SETTINGS))
    for policy, binding in zip(policies, bindings, strict=True):
        assert policy["kind"] == "ValidatingAdmissionPolicy"
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert policy["spec"]["matchConstraints"]["matchPolicy"] == "Equivalent"
        assert "objectSelector" not in policy["spec"]["matchConstraints"]
        assert binding["spec"] == {
            "policyName": policy["metadata"]["name"],
            "validationActions": ["Deny"],
        }


def test_a_name_stays_as_it_is_given() -> None:
    """Another number of spaces is another user."""
    settings = replace(SETTINGS, admin_users=("two  gaps",), audiences=(" a  b ",))
    text = "".join(str(manifest) for manifest in render_manifests(settings))
    assert '"two  gaps"' in text
    assert '" a  b "' in text


def test_every_refusal_says_what_to_do() -> None:
    for guard in make_guards(SETTINGS):
        for validation in guard.validations:
            what, _, remedy = validation.message.partition(": ")
            assert len(what) > 20, validation.message
            assert len(remedy) > 10, validation.message


def test_the_file_is_what_is_rendered() -> None:
    """The image is nobody's: with it no pod would pass, until it is rendered with a real one."""
    text = (ROOT / "manifests" / "guards.yaml").read_text()
    assert text == render_yaml(GuardSettings(image=f"mca@sha256:{'0' * 64}"))


def test_yaml_is_the_manifests_and_says_how_it_was_made() -> None:
    settings = replace(
        SETTINGS,
        previous_images=(f"mca@sha256:{'b' * 64}",),
        uid=7,
        admin_users=("it's me",),
        audiences=("vault", "b"),
        controllers=("c",),
        system_namespace="ops",
    )
    text = render_yaml(settings)
    assert list(yaml.safe_load_all(text)) == render_manifests(settings)
    command = text.partition("\n")[0].removeprefix("# Made by: python -m ")
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == text


def test_bad_arguments_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--image", "mca:1", "--uid", "0"]) == 64
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("webhook.guards: image: 'mca:1' is not an image with its digest")


def test_lists_are_written_into_the_policies(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--image", SETTINGS.image, "--admin-group", "ops", "--audience", "vault"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert '["ops"]' in text
    assert "system:masters" not in text
    assert '["vault"]' in text
