"""The harness itself: what a program in a pod sees, and what else sees of it."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.clients import builds
from tests.clients.pods import SERVICE_ACCOUNT, Pod

LOOK = """
import json, os
folder = "/var/run/secrets/kubernetes.io/serviceaccount"
try:
    open(folder + "/token", "w")
except OSError as error:
    refused = error.strerror
tell = dict(token=open(folder + "/token").read(), run=os.listdir("/var/run"), refused=refused,
            names=sorted(os.environ), address=os.environ["KUBERNETES_SERVICE_HOST"])
print(json.dumps({"step": "look", "result": tell}))
"""


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    account, home = tmp_path / "account", tmp_path / "home"
    account.mkdir()
    home.mkdir()
    (account / "token").write_text("secret")
    return Pod(account, 1234, home)


def test_a_program_sees_its_files_and_no_other(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    (step,) = pod.tell([sys.executable, "-c", LOOK])
    told = step["result"]
    assert told["token"] == "secret"
    assert told["refused"] == "Read-only file system"
    assert told["run"] == ["secrets"]
    assert told["address"] == "127.0.0.1"
    assert not {"HTTPS_PROXY", "KUBECONFIG"} & set(told["names"])
    assert not (Path(SERVICE_ACCOUNT) / "token").exists()


def test_a_failing_program_is_told_with_its_own_words(pod: Pod) -> None:
    code = 'import sys; print(\'{"step": "one", "result": 1}\'); sys.exit(\'it broke\')'
    with pytest.raises(AssertionError, match="ended with 1 after one:\nit broke"):
        pod.tell([sys.executable, "-c", code])


def test_a_program_that_hangs_is_ended(pod: Pod) -> None:
    with pytest.raises(AssertionError, match="ended with -9 after nothing"):
        pod.tell(["sleep", "60"], timeout_s=0.5)


def test_no_go_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(builds.ClientMissingError, match=r"install Go 1\.26 or newer"):
        builds.build_go.__wrapped__("node")
    assert not [path for path in tmp_path.rglob("*") if path.is_dir() and "go-" in path.name]
