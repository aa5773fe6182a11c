"""`mca run` as its user meets it: real processes, a real API server, kubectl."""

import base64
import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.certificates import Authority
from tests.webhook.cli.run.scene import (
    MCA,
    Home,
    Raw,
    credential,
    exec_user,
    find_processes,
    kill_group,
    kubeconfig,
    merged,
    python,
    wait_until,
)

NAMESPACE = "run-a"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:person"
WHOAMI = ("kubectl", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
VERSION = ("kubectl", "get", "--raw", "/version")
# What a command finds, as JSON.
SHOW = """
import json, os, stat
config = json.load(open(os.environ["KUBECONFIG"]))
token = config["users"][0]["user"]["tokenFile"]
print(json.dumps({
    "env": dict(os.environ),
    "config": config,
    "folder": os.path.dirname(os.environ["KUBECONFIG"]),
    "mode": oct(stat.S_IMODE(os.stat(os.path.dirname(os.environ["KUBECONFIG"])).st_mode)),
    "token": open(token).read(),
}))
"""
# Calls again and again, for as many seconds as told, and prints the codes that came.
CALL = """
import http.client, json, os, ssl, sys, time
config = json.load(open(os.environ["KUBECONFIG"]))
trust = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
token = open(config["users"][0]["user"]["tokenFile"]).read()
until, codes = time.monotonic() + float(sys.argv[1]), []
while True:
    api = http.client.HTTPSConnection(
        os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"]),
        context=trust)
    body = None if len(sys.argv) < 3 else b"x" * int(sys.argv[2])
    told = {"Authorization": f"Bearer {token}"}
    if body is not None:
        told["Content-Type"] = "application/json-patch+json"
    api.request("GET" if body is None else "PATCH", "/version", body, told)
    codes.append(api.getresponse().status)
    api.close()
    if time.monotonic() > until:
        break
    time.sleep(0.1)
print(*codes)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="module")
def token(control_plane: ControlPlane) -> str:
    control_plane.create_service_account(
        NAMESPACE, "person", cluster_role="system:aggregate-to-view"
    )
    return control_plane.token(NAMESPACE, "person")


def encode(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


# Logging in


def test_by_token(control_plane: ControlPlane, home: Home, token: str) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": token}))
    done = home.mca("run", "--", *WHOAMI)
    assert (done.returncode, done.stdout, done.stderr) == (0, ACCOUNT, "")


def test_by_token_file_beside_the_kubeconfig(
    control_plane: ControlPlane, home: Home, token: str
) -> None:
    (home.path / "conf").mkdir()
    (home.path / "conf" / "tok").write_text(token + "\n")
    ca = home.path / "ca.pem"
    ca.write_text(control_plane.ca_pem)
    cluster = {"certificate-authority": "../ca.pem", "certificate-authority-data": ""}
    document = kubeconfig(control_plane, {"tokenFile": "tok"}, cluster=cluster)
    file = home.write_kubeconfig(document, "conf/config")
    done = home.mca("run", "--kubeconfig", str(file), "--", *WHOAMI, env={"KUBECONFIG": "/x"})
    assert (done.returncode, done.stdout, done.stderr) == (0, ACCOUNT, "")


@pytest.mark.parametrize("inline", [True, False])
def test_by_client_certificate(control_plane: ControlPlane, home: Home, inline: bool) -> None:
    pair = control_plane.authority.issue_client("run-cert")
    user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
    if inline:
        user = {
            "client-certificate-data": encode(pair.certificate),
            "client-key-data": encode(pair.key),
        }
    home.write_kubeconfig(kubeconfig(control_plane, user))
    done = home.mca("run", *WHOAMI)
    assert (done.returncode, done.stdout, done.stderr) == (0, "run-cert", "")


def test_by_exec_plugin(control_plane: ControlPlane, home: Home, token: str) -> None:
    plugin = home.write_plugin(credential("v1beta1", token=token))
    user = exec_user(plugin, version="v1beta1", provideClusterInfo=True)
    home.write_kubeconfig(kubeconfig(control_plane, user))
    done = home.mca("run", "--", *WHOAMI)
    assert (done.returncode, done.stdout, done.stderr) == (0, ACCOUNT, "")
    told = json.loads((plugin.parent / "asked").read_text())
    assert told["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert told["spec"]["interactive"] is False
    assert told["spec"]["cluster"]["server"] == control_plane.url


def test_by_exec_plugin_that_issues_certificates(control_plane: ControlPlane, home: Home) -> None:
    pair = control_plane.authority.issue_client("run-exec")
    plugin = home.write_plugin(
        credential(
            clientCertificateData=pair.certificate.read_text(), clientKeyData=pair.key.read_text()
        )
    )
    home.write_kubeconfig(kubeconfig(control_plane, exec_user(plugin)))
    done = home.mca("run", "--", *WHOAMI)
    assert (done.returncode, done.stdout, done.stderr) == (0, "run-exec", "")


# Renewal


def test_a_refused_token_is_renewed_within_the_call(
    control_plane: ControlPlane, home: Home, token: str
) -> None:
    plugin = home.write_plugin(credential(token="expired"), credential(token=token))
    home.write_kubeconfig(kubeconfig(control_plane, exec_user(plugin)))
    done = home.mca("run", "--", *WHOAMI)
    assert (done.returncode, done.stdout, done.stderr) == (0, ACCOUNT, "")
    assert len((plugin.parent / "asked").read_text().splitlines()) == 2


def test_a_refused_certificate_is_renewed_within_the_call(
    control_plane: ControlPlane, home: Home
) -> None:
    (home.path / "foreign").mkdir()
    answers = [
        credential(
            clientCertificateData=pair.certificate.read_text(), clientKeyData=pair.key.read_text()
        )
        for pair in (
            Authority(home.path / "foreign", "foreign").issue_client("run-renewed"),
            control_plane.authority.issue_client("run-renewed"),
        )
    ]
    plugin = home.write_plugin(*answers)
    home.write_kubeconfig(kubeconfig(control_plane, exec_user(plugin)))
    done = home.mca("run", "--", *WHOAMI)
    assert (done.returncode, done.stdout, done.stderr) == (0, "run-renewed", "")


def test_a_call_too_large_to_send_again_causes_the_renewal_for_the_next(
    control_plane: ControlPlane, home: Home, token: str
) -> None:
    plugin = home.write_plugin(credential(token="expired"), credential(token=token))
    home.write_kubeconfig(kubeconfig(control_plane, exec_user(plugin)))
    done = home.mca("run", "--", *python(CALL, "1.5", "500000"))
    codes = done.stdout.split()
    # The version cannot be patched: 403, once it is known who asks.
    assert (codes[0], codes[-1]) == ("401", "403")


def test_a_token_is_renewed_before_it_expires(
    control_plane: ControlPlane, home: Home, token: str
) -> None:
    other = control_plane.token(NAMESPACE, "person", seconds=7200)
    plugin = home.write_plugin(
        credential(token=token, lasts_s=4), credential(token=other, lasts_s=3600)
    )
    home.write_kubeconfig(kubeconfig(control_plane, exec_user(plugin)))
    audit = home.path / "audit"
    done = home.mca("run", "--audit", str(audit), "--", *python(CALL, "4"))
    assert set(done.stdout.split()) == {"200"}
    assert len((plugin.parent / "asked").read_text().splitlines()) == 2
    ids = [json.loads(line)["id"] for line in audit.read_text().splitlines()]
    first, last = (control_plane.audit.wait_for({ids[i]})[ids[i]] for i in (0, -1))
    key = "authentication.kubernetes.io/credential-id"
    assert first["user"]["extra"][key] != last["user"]["extra"][key]


def test_a_plugin_that_fails_when_asked_again_is_told(
    control_plane: ControlPlane, home: Home
) -> None:
    plugin = home.write_plugin(credential(token="expired"), "s3cret")
    home.write_kubeconfig(kubeconfig(control_plane, exec_user(plugin)))
    began = time.monotonic()
    done = home.mca("run", "--", *VERSION)
    assert time.monotonic() - began < 10
    assert done.returncode == 1
    assert "Unauthorized" in done.stderr
    assert f"mca: context 'one': no newer credential: {plugin} printed no" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_token_that_nobody_can_renew_is_told_once(
    control_plane: ControlPlane, home: Home
) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "revoked"}))
    done = home.mca("run", "--", *python(CALL, "1.5"))
    assert set(done.stdout.split()) == {"401"}
    assert done.stderr == "mca: context 'one': the cluster does not accept the credential (401)\n"


# Contexts


def test_several_files_and_a_chosen_context(
    control_plane: ControlPlane, home: Home, token: str
) -> None:
    one = home.write_kubeconfig(kubeconfig(None, {"token": "x"}), "one")
    two = kubeconfig(control_plane, {"token": token}, name="two", namespace=NAMESPACE)
    files = f"{one}:{home.path}/missing:{home.write_kubeconfig(two, 'two')}"
    arguments = ("run", "-v", "--context", "two", "--", *python(SHOW))
    done = home.mca(*arguments, env={"KUBECONFIG": files})
    assert done.returncode == 0
    context = json.loads(done.stdout)["config"]["contexts"][0]
    assert (context["name"], context["context"]["namespace"]) == ("two", NAMESPACE)
    assert done.stderr.splitlines() == [
        "mca: context 'two' is cluster home",
        "mca: context 'one' is cluster one",
    ]


def test_other_contexts_cannot_harm_the_chosen_one(
    control_plane: ControlPlane, home: Home, token: str
) -> None:
    plugin = home.write_plugin("never asked")
    others = [
        kubeconfig(control_plane, exec_user(plugin), name="by plugin"),
        kubeconfig(None, {"token": "x"}, name="old", cluster={"insecure-skip-tls-verify": True}),
        kubeconfig(None, {"token": "x"}, name="far", cluster={"server": "https://x:99999"}),
        kubeconfig(
            control_plane,
            {"client-certificate-data": "QQ==", "client-key-data": "QQ=="},
            name="broken",
        ),
    ]
    home.write_kubeconfig(merged(kubeconfig(control_plane, {"token": token}), *others))
    done = home.mca("run", "-v", "--", *WHOAMI)
    assert (done.returncode, done.stdout) == (0, ACCOUNT)
    lines = done.stderr.splitlines()
    assert lines[:3] == [
        "mca: context 'one' is cluster home",
        "mca: context 'by plugin' is cluster by-plugin",
        "mca: context 'broken' is cluster broken",
    ]
    assert lines[3].startswith("mca: context 'old' is left out: cluster 'old': insecure-skip-tls")
    assert lines[4].startswith("mca: context 'far' is left out: clusters[0].server: ")
    assert lines[5].startswith("mca: warning: credential unusable: cluster broken, ")
    assert not (plugin.parent / "asked").exists()


@pytest.mark.parametrize(
    ("user", "cluster", "said"),
    [
        ({"token": "x"}, {"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify: "),
        ({"token": "x"}, {"proxy-url": "socks5://p"}, "proxy-url: "),
        ({"token": "x"}, {"server": "http://127.0.0.1:1"}, "server: http would send"),
        ({"token": "x", "as": "root"}, {}, "as: impersonation"),
        ({"username": "a", "password": "b"}, {}, "username: "),
        ({"auth-provider": {"name": "oidc"}}, {}, "auth-provider: "),
        (exec_user("/no/such/plugin", installHint="brew install it"), {}, "is not installed"),
        (exec_user("false"), {}, "false ended with exit code 1"),
        ({"client-certificate-data": "QQ==", "client-key-data": "QQ=="}, {}, "context 'one': /"),
    ],
)
def test_a_context_that_cannot_be_served_is_refused_before_the_command(
    control_plane: ControlPlane, home: Home, user: Raw, cluster: Raw, said: str
) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, user, cluster=cluster))
    done = home.mca("run", "--", "touch", "ran")
    assert done.returncode == 64
    assert said in done.stderr
    assert done.stderr.startswith("mca: ")
    assert "Traceback" not in done.stderr
    assert not (home.path / "ran").exists()


@pytest.mark.parametrize(
    ("document", "arguments", "said"),
    [
        ({}, (), "mca: no current-context is set: choose one by --context; known: none"),
        (None, ("--context", "x"), "mca: context 'x' is not in the kubeconfig; known: one"),
        (None, ("--kubeconfig", "/no/such"), "mca: --kubeconfig: /no/such: there is no such file"),
        (None, ("--audit", "/no/such"), "mca: /no/such: No such file or directory"),
    ],
)
def test_what_was_asked_for_is_not_there(
    home: Home, document: Any, arguments: tuple[str, ...], said: str
) -> None:
    home.write_kubeconfig(kubeconfig(None, {"token": "x"}) if document is None else document)
    if arguments[:1] == ("--audit",):
        arguments = ("--audit", "/no/such/folder")
        said = "mca: /no/such/folder: No such file or directory"
    done = home.mca("run", *arguments, "--", "true")
    assert (done.returncode, done.stderr) == (64, f"{said}\n")


def test_a_bad_limit_is_the_sidecars_to_tell(home: Home) -> None:
    home.write_kubeconfig(
        kubeconfig(None, {"token": "x"}, cluster={"certificate-authority": "/etc/hosts"})
    )
    done = home.mca("run", "--", "true", env={"MCA_CONNECT_TIMEOUT": "soon"})
    assert done.returncode == 64
    assert "mca: MCA_CONNECT_TIMEOUT: 'soon' is not a number" in done.stderr


# The command


def test_the_command_gets_no_credential_and_no_way_around(
    control_plane: ControlPlane, home: Home, token: str
) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": token}))
    env = {"KUBE_TOKEN": token, "HELM_KUBETOKEN": token, "HTTPS_PROXY": "http://p", "X": "kept"}
    done = home.mca("run", "--", *python(SHOW), env=env)
    seen = json.loads(done.stdout)
    assert token not in done.stdout
    assert str(control_plane.port) not in json.dumps(seen["env"] | {"PATH": ""})
    assert seen["env"]["X"] == "kept"
    assert seen["env"]["KUBERNETES_SERVICE_HOST"] == "127.0.0.1"
    port = seen["env"]["KUBERNETES_SERVICE_PORT"]
    assert seen["env"]["KUBERNETES_SERVICE_PORT_HTTPS"] == port
    assert seen["config"]["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{port}"
    assert seen["env"]["no_proxy"] == "127.0.0.1"
    assert seen["mode"] == "0o700"
    assert seen["folder"].startswith(str(home.runtime))
    answer = control_plane.request("GET", "/version", token=seen["token"])
    assert answer.status == 401


def test_what_it_is_given_and_what_it_prints(control_plane: ControlPlane, home: Home) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "x"}))
    done = home.mca("run", "sh", "-c", 'echo "$@"; echo no >&2; exit 7', "sh", "a b", "--", "-v")
    assert (done.returncode, done.stdout, done.stderr) == (7, "a b -- -v\n", "no\n")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("sh", "-c", "kill -9 $$"), 137, ""),
        (("sh", "-c", "kill -15 $$"), 143, ""),
        (("mca-no-such-command",), 127, "mca: mca-no-such-command: not found\n"),
        (("./plain",), 126, "mca: ./plain: is not executable\n"),
        ((), 64, "mca run: no COMMAND is given, as in: mca run -- kubectl get pods\n"),
    ],
)
def test_exit_codes(
    control_plane: ControlPlane, home: Home, command: tuple[str, ...], code: int, said: str
) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "x"}))
    (home.path / "plain").touch()
    done = home.mca("run", "--", *command)
    assert (done.returncode, done.stderr) == (code, said)


def test_every_call_is_in_the_audit_file(
    control_plane: ControlPlane, home: Home, token: str
) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": token}, namespace=NAMESPACE))
    audit = home.path / "audit.jsonl"
    audit.write_text("kept\n")
    done = home.mca("run", "--audit", "audit.jsonl", "--", "kubectl", "get", "configmaps")
    assert done.returncode == 0
    kept, *lines = audit.read_text().splitlines()
    assert kept == "kept"
    calls = [json.loads(line) for line in lines]
    (listed,) = [call for call in calls if call.get("resource") == "configmaps"]
    assert listed["verb"] == "list"
    assert listed["objectNamespace"] == listed["namespace"] == NAMESPACE
    assert (listed["decision"], listed["member"], listed["code"]) == ("permit", "home", 200)
    assert control_plane.audit.wait_for({listed["id"]})[listed["id"]]["user"]["username"] == ACCOUNT
    assert token not in audit.read_text()


# Signals, and what is left behind

TRAP = """
import os, signal, sys, time
got = []
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, lambda number, _frame: got.append(number))
print(os.environ["KUBECONFIG"], flush=True)
until = time.monotonic() + 20
while not got and time.monotonic() < until:
    time.sleep(0.02)
time.sleep(0.3)
print(*got)
sys.exit(3)
"""


@pytest.mark.parametrize(
    ("number", "to_group", "times"),
    [
        (signal.SIGTERM, False, 1),
        (signal.SIGHUP, False, 1),
        (signal.SIGUSR1, False, 1),
        (signal.SIGINT, False, 1),
    ],
)
def test_signals_are_passed_on_and_the_command_has_the_last_word(
    home: Home, control_plane: ControlPlane, number: signal.Signals, to_group: bool, times: int
) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "x"}))
    process = home.start("run", "--", *python(TRAP), start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (3, f"{int(number)}\n" * times, "")
    assert home.left_behind() == []


def test_an_interrupt_to_the_whole_group_reaches_the_command_once(
    home: Home, control_plane: ControlPlane
) -> None:
    """`timeout -s INT` is in our group and sends to all of it."""
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "x"}))
    process = home.start("run", "--", *python(TRAP), process_group=0)
    assert process.stdout is not None
    process.stdout.readline()
    sender = os.fork()
    if sender == 0:
        os.setpgid(0, process.pid)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        kill_group(process, signal.SIGINT)
        os._exit(0)
    os.waitpid(sender, 0)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (3, "2\n", "")


def test_signals_before_the_command_end_the_run_and_the_plugin(
    home: Home, control_plane: ControlPlane
) -> None:
    slow = home.path / "slow"
    slow.write_text(f"#!/bin/sh\necho $$ >{home.path}/pid\nexec sleep 60\n")
    slow.chmod(0o755)
    home.write_kubeconfig(kubeconfig(control_plane, exec_user(slow)))
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = home.start("run", "--", "true", start_new_session=True)
        wait_until((home.path / "pid").exists, "the plugin's start")
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (code, "")
        assert home.left_behind() == []
        (home.path / "pid").unlink()


def test_it_minds_no_odd_start(home: Home, control_plane: ControlPlane) -> None:
    """Closed descriptors, an ignored SIGCHLD: some supervisors start their children so."""
    plugin = home.write_plugin(credential(token="x"))
    home.write_kubeconfig(kubeconfig(control_plane, exec_user(plugin)))
    odd = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "os.closerange(0, 2); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = python(odd, MCA, "run", "--", "sh", "-c", "exit 5")
    process = subprocess.Popen(command, env=home.env)
    assert process.wait(timeout=20) == 5
    assert home.left_behind() == []


def test_a_run_within_a_run(home: Home, control_plane: ControlPlane, token: str) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": token}))
    done = home.mca("run", "--", MCA, "run", "--", *WHOAMI)
    assert (done.returncode, done.stdout, done.stderr) == (0, ACCOUNT, "")


def test_ignored_signals_stay_ignored(home: Home, control_plane: ControlPlane) -> None:
    """As under nohup."""
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "x"}))
    script = 'echo; read line; echo "$line"'
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = home.start("run", "--", "sh", "-c", f"({script}) <{home.path}/pipe")
    finally:
        signal.signal(signal.SIGHUP, before)
    os.mkfifo(home.path / "pipe")
    with (home.path / "pipe").open("w") as pipe:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        pipe.write("still here\n")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "still here\n", "")


def test_its_files_do_not_lead_to_the_credentials(
    home: Home, control_plane: ControlPlane, token: str
) -> None:
    """Whoever mounts the kubeconfig's folder into a container takes nothing else along."""
    home.write_kubeconfig(kubeconfig(control_plane, {"token": token}))
    process = home.start("run", "--", *python(TRAP))
    assert process.stdout is not None
    shown = Path(process.stdout.readline().strip()).parent
    (private,) = [path for path in home.runtime.iterdir() if path != shown]
    assert sorted(path.relative_to(shown).as_posix() for path in shown.rglob("*")) == [
        "clients",
        "clients/app",
        "clients/app/ca.crt",
        "clients/app/namespace",
        "clients/app/token",
        "kubeconfig",
    ]
    held = {path: path.read_text() for path in shown.rglob("*") if path.is_file()}
    assert not [path for path, text in held.items() if token in text or private.name in text]
    assert {path.name for path in private.iterdir()} == {"identity", "members", "snapshot.json"}
    assert shown.name.rpartition("-")[2] not in private.name
    process.terminate()
    process.communicate(timeout=20)
    assert home.left_behind() == []


def test_kill_9_leaves_no_process_and_the_next_run_removes_the_folders(
    home: Home, control_plane: ControlPlane
) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "s3cret"}))
    process = home.start("run", "--", *python(TRAP))
    assert process.stdout is not None
    shown = Path(process.stdout.readline().strip()).parent
    (private,) = [path for path in home.runtime.iterdir() if path != shown]
    assert (private / "members" / "home" / "token").read_text() == "s3cret"
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (private, shown)} == {0o700}
    (sidecar,) = [pid for pid in find_processes(str(shown)) if is_sidecar(pid)]
    process.kill()
    wait_until(lambda: not Path(f"/proc/{sidecar}").exists(), "the sidecar's end", 5)
    assert private.exists()
    for pid in find_processes(str(shown)):  # the command: not ours to end
        os.kill(pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert home.mca("run", "true").returncode == 0
    assert not private.exists()
    assert not shown.exists()


def test_a_sidecar_that_ends_is_told_and_the_command_goes_on(
    home: Home, control_plane: ControlPlane
) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": "x"}))
    process = home.start("run", "--", *python(TRAP))
    assert process.stdout is not None
    folder = process.stdout.readline().strip().removesuffix("/kubeconfig")
    (sidecar,) = [pid for pid in find_processes(folder) if is_sidecar(pid)]
    os.kill(sidecar, signal.SIGKILL)
    assert process.stderr is not None
    assert process.stderr.readline() == (
        "mca: the sidecar ended by signal 9: no call can be made any more\n"
    )
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 3
    assert home.left_behind() == []


def test_two_runs_side_by_side(home: Home, control_plane: ControlPlane, token: str) -> None:
    home.write_kubeconfig(kubeconfig(control_plane, {"token": token}))
    runs = [home.start("run", "--", *python(SHOW)) for _ in range(3)]
    ports = set()
    for process in runs:
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        ports.add(json.loads(out)["env"]["KUBERNETES_SERVICE_PORT"])
    assert len(ports) == 3
    assert home.left_behind() == []


def is_sidecar(pid: int) -> bool:
    return b"sidecar.__main__" in Path(f"/proc/{pid}/cmdline").read_bytes()
