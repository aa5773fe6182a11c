"""The sidecar's container: what its own configuration makes of it, and what it keeps."""

from typing import Any

from sidecar.config import Settings, parse_settings
from tests.webhook.admission.scene import SETTINGS
from webhook.admission.annotations import parse_annotations
from webhook.admission.sidecar_container import build_container, build_volumes


def build(arrived: dict[str, Any] | None = None, **annotations: str) -> dict[str, Any]:
    named = {f"mca.io/{key.replace('_', '-')}": text for key, text in annotations.items()}
    return build_container(SETTINGS, parse_annotations(named, SETTINGS), ["a", "b"], arrived or {})


def read(container: dict[str, Any]) -> Settings:
    """As the sidecar reads it, in a pod with these fields."""
    fields = {
        "metadata.namespace": "team-a",
        "metadata.name": "web-0",
        "spec.serviceAccountName": "default",
    }
    env = {
        item["name"]: item.get("value") or fields[item["valueFrom"]["fieldRef"]["fieldPath"]]
        for item in container["env"]
    }
    settings = parse_settings(env)
    assert isinstance(settings, Settings), settings
    return settings


def test_the_sidecar_understands_its_environment() -> None:
    container = build()
    settings = read(container)
    assert settings.containers == ("a", "b")
    assert (settings.namespace, settings.pod, settings.service_account) == (
        "team-a", "web-0", "default",
    )  # fmt: skip
    assert settings.unknown == ()
    paths = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert paths == [settings.identity_dir, settings.clients_dir, settings.service_account_dir]
    assert {mount["name"] for mount in container["volumeMounts"]} == set(build_volumes(SETTINGS))
    assert [address.port for address in settings.admin_listen] == [6444]
    assert container["startupProbe"]["httpGet"]["port"] == 6444


def test_what_annotations_change() -> None:
    container = build(ports="7443,7444", log_level="debug", cpu_limit="50m")
    settings = read(container)
    assert [str(address) for address in settings.api_listen] == ["127.0.0.1:7443", "[::1]:7443"]
    assert [str(address) for address in settings.admin_listen] == ["[::]:7444"]
    assert settings.log_level == "debug"
    assert container["startupProbe"]["httpGet"]["port"] == 7444
    assert container["resources"]["limits"] == {"cpu": "50m", "memory": "64Mi"}


def test_names_are_captured_on_the_port_that_clients_dial() -> None:
    settings = read(build(capture="env,dns", ports="7443,7444"))
    assert [str(address) for address in settings.api_listen] == [
        "127.0.0.1:7443", "[::1]:7443", "127.0.0.1:443", "[::1]:443",
    ]  # fmt: skip
    usual = {item["name"]: item.get("value") for item in build(capture="env,dns")["env"]}
    assert usual["MCA_API_LISTEN"] == "127.0.0.1:6443,[::1]:6443,127.0.0.1:443,[::1]:443"


def test_of_one_that_arrived_only_what_the_api_server_has_set_stays() -> None:
    arrived = {
        "image": "evil",
        "command": ["sh"],
        "lifecycle": {"postStart": {}},
        "imagePullPolicy": "Always",
        "resources": {
            "requests": {"cpu": "0.01", "memory": "1Mi", "example.com/gpu": "1"},
            "limits": {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
        },
    }
    container = build(arrived)
    assert container["resources"] == {
        "requests": {"cpu": "0.01", "memory": "32Mi"},
        "limits": {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
    }
    assert container["imagePullPolicy"] == "Always"
    assert build({"imagePullPolicy": "Never"})["imagePullPolicy"] == "IfNotPresent"
    assert container["image"] == SETTINGS.image
    assert set(container) == set(build())


def test_without_any_limit_there_is_no_such_key() -> None:
    settings = SETTINGS._replace(resources=SETTINGS.resources._replace(memory_limit=""))
    container = build_container(settings, parse_annotations({}, settings), ["a"], {})
    assert container["resources"] == {"requests": {"cpu": "10m", "memory": "32Mi"}}
