"""`mca webhook`: what it says before it serves."""

from pathlib import Path

from tests.webhook.admission.scene import IMAGE
from tests.webhook.cli.test_entry import mca
from webhook.admission.environment import TABLE


def test_help_names_every_setting() -> None:
    shown = mca("webhook", "--help").stdout
    assert [setting.variable for setting in TABLE if f"\n  {setting.variable} " not in shown] == []


def test_every_bad_setting_is_told() -> None:
    done = mca("webhook", env={"MCA_WEBHOOK_DRAIN": "soon"})
    assert (done.returncode, done.stdout) == (64, "")
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [
        " MCA_WEBHOOK_DRAIN",
        " MCA_SIDECAR_IMAGE",
    ]


def test_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    env = {"MCA_SIDECAR_IMAGE": IMAGE, "MCA_WEBHOOK_CERT": str(tmp_path / "none")}
    done = mca("webhook", env=env)
    assert done.returncode == 64
    assert done.stderr.startswith("mca: MCA_WEBHOOK_CERT, MCA_WEBHOOK_KEY: ")
    assert "No such file" in done.stderr


def test_own_certificates_need_an_api_server(tmp_path: Path) -> None:
    env = {
        "MCA_SIDECAR_IMAGE": IMAGE,
        "MCA_WEBHOOK_CERTIFICATES": "own",
        "KUBECONFIG": str(tmp_path / "none"),
    }
    done = mca("webhook", env=env)
    assert done.returncode == 64
    told = "mca: MCA_WEBHOOK_CERTIFICATES: own needs the API server: no kubeconfig: looked for "
    assert done.stderr.startswith(told)
