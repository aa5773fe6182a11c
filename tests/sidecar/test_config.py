import pytest
from hypothesis import given, strategies as st

from sidecar.config import (
    TABLE,
    Limits,
    Settings,
    format_errors,
    parse_settings,
    render_settings_table,
)
from sidecar.pins import Pin

MEMBERS = '[{"name": "eu-1", "server": "https://eu-1", "ca": "' + "0a" * 32 + '"}]'


def parse(**env: str) -> Settings:
    settings = parse_settings(env)
    assert isinstance(settings, Settings), settings
    return settings


def errors(**env: str) -> tuple[str, ...]:
    found = parse_settings(env)
    assert not isinstance(found, Settings), found
    return found


def test_nothing_set_is_the_contract() -> None:
    settings = parse()
    assert settings.api_listen == (("127.0.0.1", 6443), ("::1", 6443))
    assert settings.admin_listen == (("::", 6444),)
    assert not settings.metrics_public
    assert settings.snapshot_path is None
    assert settings.identity_dir == "/var/run/mca/identity"
    assert settings.clients_dir == "/var/run/mca/clients"
    assert settings.containers == ("app",)
    assert (settings.namespace, settings.pod, settings.service_account) == ("", "", "")
    assert settings.service_account_dir == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert settings.members is None
    assert settings.members_dir == "/var/run/mca/members"
    assert (settings.snapshot_watch, settings.broker) == ("", "")
    assert settings.broker_token == "/var/run/mca/broker/token"
    assert settings.log_level == "info"
    assert settings.limits == Limits(
        head_bytes=262144,
        handshake_timeout_s=10,
        head_timeout_s=10,
        body_timeout_s=60,
        connect_timeout_s=5,
        response_timeout_s=75,
        idle_timeout_s=310,
        upstream_idle_timeout_s=60,
        max_connections=0,
        drain_grace_s=20,
        refresh_wait_s=0,
    )
    assert settings.unknown == ()


def test_everything_set() -> None:
    limits = {
        "MCA_HEAD_BYTES": 4096,
        "MCA_HANDSHAKE_TIMEOUT": 1,
        "MCA_HEAD_TIMEOUT": 2,
        "MCA_BODY_TIMEOUT": 3,
        "MCA_CONNECT_TIMEOUT": 4,
        "MCA_RESPONSE_TIMEOUT": 5,
        "MCA_IDLE_TIMEOUT": 6,
        "MCA_UPSTREAM_IDLE_TIMEOUT": 7,
        "MCA_MAX_CONNECTIONS": 8,
        "MCA_DRAIN_GRACE": 9,
        "MCA_REFRESH_WAIT": 10,
    }
    settings = parse(
        MCA_API_LISTEN="127.0.0.1:1",
        MCA_ADMIN_LISTEN="[::1]:2",
        MCA_METRICS="public",
        MCA_SNAPSHOT="/s/snapshot.json",
        MCA_IDENTITY_DIR="/i",
        MCA_CLIENTS_DIR="/c",
        MCA_CONTAINERS="a,b",
        MCA_NAMESPACE="team-a",
        MCA_POD="web-0",
        MCA_SERVICE_ACCOUNT="robot",
        MCA_SERVICE_ACCOUNT_DIR="/sa",
        MCA_MEMBERS=MEMBERS,
        MCA_MEMBERS_DIR="/m",
        MCA_SNAPSHOT_WATCH="mca-policy",
        MCA_BROKER="https://broker:8444",
        MCA_BROKER_TOKEN="/b/token",
        MCA_LOG_LEVEL="debug",
        KUBERNETES_SERVICE_HOST="10.96.0.1",
        KUBERNETES_SERVICE_PORT="443",
        **{variable: str(value) for variable, value in limits.items()},
    )
    assert settings == Settings(
        api_listen=settings.api_listen,
        admin_listen=settings.admin_listen,
        metrics_public=True,
        snapshot_path="/s/snapshot.json",
        identity_dir="/i",
        clients_dir="/c",
        containers=("a", "b"),
        namespace="team-a",
        pod="web-0",
        service_account="robot",
        service_account_dir="/sa",
        service_host="10.96.0.1",
        service_port="443",
        members=(("eu-1", Pin("https://eu-1", "0a" * 32)),),
        members_dir="/m",
        snapshot_watch="mca-policy",
        broker="https://broker:8444",
        broker_token="/b/token",
        log_level="debug",
        limits=Limits(*map(int, limits.values())),
        unknown=(),
    )


def test_the_table_and_the_settings_are_the_same_things() -> None:
    """Each row is read by somebody: emptied, it is an error; and there is a row for each field."""
    found = errors(**{setting.variable: "" for setting in TABLE})
    assert [error.split(":")[0] for error in found] == [setting.variable for setting in TABLE]
    assert all("set but empty" in error for error in found)
    from_kubernetes = {"service_host", "service_port"}
    flat = set(Settings._fields) - from_kubernetes - {"limits", "unknown"}
    assert len(flat) + len(Limits._fields) == len(TABLE)


def test_every_default_of_the_table_can_be_written_out() -> None:
    assert parse(**{row.variable: row.default for row in TABLE if row.default}) == parse()


def test_the_table_in_markdown() -> None:
    lines = render_settings_table().splitlines()
    assert len(lines) == 2 + len(TABLE)
    assert lines[2].startswith("| `MCA_API_LISTEN` | `127.0.0.1:6443,[::1]:6443` | ")
    assert "| `MCA_POD` | - | " in render_settings_table()


def test_all_errors_come_at_once_and_each_names_its_variable() -> None:
    found = errors(
        MCA_API_LISTEN="localhost:6443",
        MCA_METRICS="yes",
        MCA_CONTAINERS="App",
        MCA_HEAD_TIMEOUT="soon",
        MCA_SNAPSHOT="",
    )
    assert [error.split(":")[0] for error in found] == [
        "MCA_API_LISTEN",
        "MCA_METRICS",
        "MCA_SNAPSHOT",
        "MCA_CONTAINERS",
        "MCA_HEAD_TIMEOUT",
    ]
    text = format_errors(found)
    assert text.count("\n") == 5
    assert text.startswith("mca: MCA_API_LISTEN: ")


@pytest.mark.parametrize(
    ("env", "complaint"),
    [
        (
            {"MCA_API_LISTEN": "127.0.0.1:6444"},
            "MCA_ADMIN_LISTEN: [::]:6444 is already taken by MCA_API_LISTEN 127.0.0.1:6444",
        ),
        (
            {
                "MCA_IDENTITY_DIR": "/run/mca/clients/identity",
                "MCA_CLIENTS_DIR": "/run/mca/clients",
            },
            "MCA_CLIENTS_DIR: /run/mca/clients and MCA_IDENTITY_DIR",
        ),
        ({"MCA_IDENTITY_DIR": "/a", "MCA_CLIENTS_DIR": "/a/"}, "lie in each other"),
        ({"MCA_IDENTITY_DIR": "/a", "MCA_CLIENTS_DIR": "/a/b"}, "lie in each other"),
        ({"MCA_IDENTITY_DIR": "/a", "MCA_CLIENTS_DIR": "/"}, "lie in each other"),
        (
            {"MCA_SNAPSHOT": "/var/run/mca/clients/app/s.json"},
            "MCA_SNAPSHOT: /var/run/mca/clients/app/s.json lies in MCA_CLIENTS_DIR",
        ),
    ],
)
def test_settings_that_contradict_each_other(env: dict[str, str], complaint: str) -> None:
    (error,) = errors(**env)
    assert complaint in error


def test_neighbours_are_no_contradiction() -> None:
    assert parse(MCA_IDENTITY_DIR="/a/b", MCA_CLIENTS_DIR="/a/bc").clients_dir == "/a/bc"


def test_a_broken_setting_is_not_also_a_contradiction() -> None:
    (error,) = errors(MCA_API_LISTEN="nowhere", MCA_ADMIN_LISTEN="127.0.0.1:6443")
    assert error.startswith("MCA_API_LISTEN: 'nowhere'")
    (error,) = errors(MCA_IDENTITY_DIR="here", MCA_CLIENTS_DIR="/var/run/mca/identity")
    assert error.startswith("MCA_IDENTITY_DIR: 'here'")


def test_misspelt_variables_are_told_but_service_links_are_not() -> None:
    settings = parse(
        MCA_SNAPSHOTS="/x",
        MCA_API_LISTENER="x",
        MCA_SERVICE_HOST="10.0.0.1",
        MCA_SERVICE_PORT="80",
        MCA_SERVICE_PORT_HTTP="80",
        MCA_PORT="tcp://10.0.0.1:80",
        MCA_PORT_80_TCP_ADDR="10.0.0.1",
        MCA_X_PORT_80_UDP="x",
        OTHER="x",
    )
    assert settings.unknown == ("MCA_API_LISTENER", "MCA_SNAPSHOTS")


def test_no_variable_can_be_set_by_a_service_of_that_name() -> None:
    """The kubelet puts such variables into every container of the namespace."""
    suffixes = (
        "_SERVICE_HOST",
        "_SERVICE_PORT",
        "_PORT",
        "_TCP",
        "_UDP",
        "_SCTP",
        "_ADDR",
        "_PROTO",
    )
    assert not [row.variable for row in TABLE if row.variable.endswith(suffixes)]


VARIABLES = st.sampled_from([row.variable for row in TABLE])
PLAUSIBLE = st.sampled_from(
    [
        "127.0.0.1:1",
        "[::1]:6444",
        "[::]:6443",
        "/a",
        "/a/b",
        "app",
        "public",
        "info",
        "10",
        "0.5",
        "",
    ]
)


@given(st.dictionaries(VARIABLES, PLAUSIBLE | st.text("aZ09.:[],/-_ \n\0é%", max_size=40)))
def test_any_environment_becomes_settings_or_sentences(env: dict[str, str]) -> None:
    found = parse_settings(env)
    if isinstance(found, Settings):
        # What was accepted is used: a setting that is there is never silently the default.
        assert "" not in env.values()
        assert found.containers == parse().containers or "MCA_CONTAINERS" in env
        return
    assert found
    for error in found:
        assert error.split(":")[0] in env or "is already taken" in error or "lie" in error
        assert "\n" not in error


@pytest.mark.parametrize(
    ("env", "errors_found"),
    [
        ({"MCA_SNAPSHOT_WATCH": "p"}, [
            "MCA_SNAPSHOT_WATCH: needs MCA_SNAPSHOT; set that too, or unset both",
            "MCA_SNAPSHOT_WATCH: needs MCA_NAMESPACE; set that too, or unset both",
            "MCA_SNAPSHOT_WATCH: needs MCA_MEMBERS; set that too, or unset both",
        ]),
        ({"MCA_BROKER": "https://b"}, [
            "MCA_BROKER: needs MCA_MEMBERS; set that too, or unset both"]),
        ({"MCA_MEMBERS": "[]"}, ["MCA_MEMBERS: needs MCA_SNAPSHOT; set that too, or unset both"]),
        ({"MCA_BROKER": "http://b"}, [
            "MCA_BROKER: 'http://b' is not https://host or https://host:port"]),
        ({"MCA_BROKER": "https://b", "MCA_MEMBERS": "["}, [
            'MCA_MEMBERS: is not JSON; write a list of {"name", "server", "ca"}']),
    ],
)  # fmt: skip
def test_what_is_set_in_vain_without_another(env: dict[str, str], errors_found: list[str]) -> None:
    assert list(errors(**env)) == errors_found


def test_a_pod_without_members_is_pinned_all_the_same() -> None:
    assert parse(MCA_MEMBERS="[]", MCA_SNAPSHOT="/s").members == ()


@pytest.mark.parametrize("broker", ["https://b", "https://10.0.0.1:8444", "https://[fd00::1]:1"])
def test_brokers(broker: str) -> None:
    assert parse(MCA_MEMBERS="[]", MCA_SNAPSHOT="/s", MCA_BROKER=broker).broker == broker
