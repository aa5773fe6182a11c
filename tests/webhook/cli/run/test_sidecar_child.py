import os
import socket
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from webhook.cli.run import sidecar_child
from webhook.cli.run.environment import sidecar_env
from webhook.cli.run.report import Report
from webhook.cli.run.sidecar_child import SidecarChild, SidecarError


@pytest.fixture
def env(tmp_path: Path, control_plane: ControlPlane) -> dict[str, str]:
    document = (
        '{"apiVersion":"mca.io/v1alpha1","kind":"Snapshot","version":1,"revision":"r",'
        '"namespace":"a","tenant":null,"routes":[],"clusters":[{"name":"home",'
        f'"server":"{control_plane.url}","tlsServerName":null,'
        f'"caBundle":{{"caFile":"{control_plane.authority.file}"}},'
        f'"credentials":{{"tokenFile":"{tmp_path}/token"}}}}]}}'
    )
    (tmp_path / "snapshot.json").write_text(document)
    (tmp_path / "token").write_text("one")
    return sidecar_env(os.environ, str(tmp_path), str(tmp_path), "a", refresh_wait_s=0)


def test_a_port_that_is_taken_after_all_is_not_waited_for(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    choose = sidecar_child._choose_ports
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = iter([(port, choose()[1]), (choose()[0], port), choose()])
        monkeypatch.setattr(sidecar_child, "_choose_ports", lambda: next(chosen))
        child = SidecarChild(Report(None))
        child.start(env)
        assert child.port != port
        with socket.create_connection(("127.0.0.1", child.port)):
            pass
        assert child.stop() == 0
        assert child.stop() == 0
        monkeypatch.setattr(sidecar_child, "_choose_ports", lambda: (port, choose()[1]))
        with pytest.raises(SidecarError, match="no free port") as failure:
            child.start(env)
    assert failure.value.code == 69
    assert capsys.readouterr().err == ""


def test_why_it_is_not_ready(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("")
    with pytest.raises(SidecarError, match="token: is empty"):
        SidecarChild(Report(None)).start(env)
    (tmp_path / "snapshot.json").write_text("{}")
    with pytest.raises(SidecarError, match="no usable snapshot: the log says what"):
        SidecarChild(Report(None)).start(env)
