"""How variables become settings: the defaults, all errors at once, each with its variable."""

import pytest

from webhook.controller.engine.settings import TABLE, ControllerSettings, parse_environment

DIGEST = f"sha256:{'0' * 64}"


def read(**variables: str) -> ControllerSettings:
    settings = parse_environment(
        {f"MCA_CONTROLLER_{name}": text for name, text in variables.items()}, "abcd"
    )
    assert isinstance(settings, ControllerSettings), settings
    return settings


def test_defaults() -> None:
    settings = read()
    assert (settings.host, settings.port, settings.namespace) == ("::", 8444, "mca-system")
    assert (settings.lease_s, settings.workers, settings.drain_s, settings.probe_s) == (
        15,
        8,
        5,
        30,
    )
    assert settings.sidecar_images == settings.member_audiences == frozenset()
    assert settings.profile_namespaces == ()
    assert settings.certificates == "own"
    assert settings.address == "https://mca-broker.mca-system.svc:8444"


def test_the_broker_may_have_another_address() -> None:
    assert read(ADDRESS="https://10.0.0.7:443").address == "https://10.0.0.7:443"
    assert read(ADDRESS="https://[fd00::1]:8444").address == "https://[fd00::1]:8444"


def test_a_name_of_its_own_is_used_once_and_a_given_one_stays() -> None:
    assert read().identity.endswith("_abcd")
    assert read(IDENTITY="mca-controller-7d-x1").identity == "mca-controller-7d-x1"


def test_values() -> None:
    settings = read(
        LISTEN="127.0.0.1:9000",
        CERTIFICATES="files",
        CA="/ca.crt",
        SIDECAR_IMAGES=f"mca@{DIGEST}, r.example/mca@{DIGEST}",
        TOKEN_AUDIENCES="vault",
        MEMBER_AUDIENCES="https://a.example,b",
        PROFILE_NAMESPACES="fleet, more",
        LOG_LEVEL="debug",
        SERVICE="b",
        NAMESPACE="n",
    )
    assert (settings.host, settings.port, settings.ca_path) == ("127.0.0.1", 9000, "/ca.crt")
    assert settings.sidecar_images == {f"mca@{DIGEST}", f"r.example/mca@{DIGEST}"}
    assert settings.token_audiences == {"vault"}
    assert settings.member_audiences == {"https://a.example", "b"}
    assert settings.profile_namespaces == ("fleet", "more")
    assert settings.address == "https://b.n.svc:8444"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("LISTEN", "8444", "write [::]:8444"),
        ("LISTEN", "[::]:99999", "a port is"),
        ("NAMESPACE", "No", "'No'"),
        ("SERVICE", "", "''"),
        ("ADDRESS", "http://x", "https://, a host"),
        ("CERTIFICATES", "mine", "own, files"),
        ("CERT", "tls.crt", "begin it with /"),
        ("IDENTITY", "a b", "take the pod's"),
        ("LEASE_SECONDS", "2", "3 to 300"),
        ("WORKERS", "many", "1 to 64"),
        ("DRAIN", "-1", "0 to 600"),
        ("PROBE_SECONDS", "0", "1 to 3600"),
        ("SIDECAR_IMAGES", "mca:latest", "digest"),
        ("TOKEN_AUDIENCES", "a,,b", "empty audience"),
        ("PROFILE_NAMESPACES", "a,B", "'B'"),
        ("LOG_LEVEL", "loud", "debug, info"),
    ],
)
def test_a_bad_value_is_told_with_its_variable(name: str, text: str, said: str) -> None:
    errors = parse_environment({f"MCA_CONTROLLER_{name}": text})
    assert not isinstance(errors, ControllerSettings)
    [error] = errors
    assert error.startswith(f"MCA_CONTROLLER_{name}: ")
    assert said in error


def test_all_errors_are_told_at_once() -> None:
    bad = {"MCA_CONTROLLER_WORKERS": "0", "MCA_CONTROLLER_LISTEN": "x"}
    assert len(parse_environment(bad)) == 2


def test_every_setting_has_a_row_that_says_what_it_is_for() -> None:
    assert all(setting.meaning for setting in TABLE)
    assert len({setting.variable for setting in TABLE}) == len(TABLE)
