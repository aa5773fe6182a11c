import json

import pytest

from webhook.cli.run.environment import command_env, render_kubeconfig, sidecar_env


def test_the_command_finds_what_a_container_would_and_no_other_cluster() -> None:
    leads_elsewhere = (
        "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_PORT_443_TCP", "KUBERNETES_MASTER",
        "KUBERNETES_AUTH_TOKEN", "KUBE_TOKEN", "KUBE_CONFIG_PATH", "HELM_KUBETOKEN",
        "HELM_KUBEAPISERVER", "K8S_AUTH_API_KEY", "K8S_AUTH_KUBECONFIG", "MCA_SNAPSHOT",
    )  # fmt: skip
    env = dict.fromkeys(leads_elsewhere, "theirs")
    kept = {"PATH": "/bin", "KUBE_EDITOR": "vi", "HELM_CACHE_HOME": "/h", "AWS_PROFILE": "p"}
    found = command_env(env | kept, "/run/k", "127.0.0.1", 4443)
    assert found == kept | {
        "KUBECONFIG": "/run/k",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": "4443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "4443",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", "127.0.0.1"),
        ("a,.b", "a,.b,127.0.0.1"),
        ("a,127.0.0.1", "a,127.0.0.1"),
        ("a, ,", "a,127.0.0.1"),
    ],
)
def test_no_proxy_stands_between(given: str, found: str) -> None:
    env = command_env({"NO_PROXY": given}, "/k", "127.0.0.1", 1)
    assert (env["NO_PROXY"], env["no_proxy"]) == (found, "127.0.0.1")


def test_the_sidecar_keeps_the_users_limits_and_nothing_that_a_run_decides() -> None:
    env = {
        "MCA_CONNECT_TIMEOUT": "9",
        "MCA_LOG_LEVEL": "error",
        "MCA_SNAPSHOT": "/theirs",
        "MCA_SERVICE_ACCOUNT": "theirs",
        "MCA_SERVICE_ACCOUNT_DIR": "/theirs",
        "MCA_METRICS": "public",
        "MCA_MEMBERS": "[]",
        "MCA_MEMBERS_DIR": "/theirs",
        "MCA_SNAPSHOT_WATCH": "theirs",
        "MCA_BROKER": "https://theirs",
        "MCA_BROKER_TOKEN": "/theirs",
        "PATH": "/bin",
    }
    assert sidecar_env(env, "/f", "/shown", "team-a", refresh_wait_s=15.0) == {
        "PATH": "/bin",
        "MCA_CONNECT_TIMEOUT": "9",
        "MCA_LOG_LEVEL": "info",
        "MCA_SNAPSHOT": "/f/snapshot.json",
        "MCA_IDENTITY_DIR": "/f/identity",
        "MCA_CLIENTS_DIR": "/shown/clients",
        "MCA_CONTAINERS": "app",
        "MCA_NAMESPACE": "team-a",
        "MCA_POD": "mca-run",
        "MCA_REFRESH_WAIT": "15",
    }


def test_the_kubeconfig_has_the_users_name_for_the_context() -> None:
    document = json.loads(render_kubeconfig("/f", "prod", "team-a", "127.0.0.1", 4443))
    assert document["current-context"] == "prod"
    assert document["contexts"] == [
        {"name": "prod", "context": {"cluster": "mca", "user": "mca", "namespace": "team-a"}}
    ]
    assert document["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:4443",
        "certificate-authority": "/f/clients/app/ca.crt",
    }
    assert document["users"][0]["user"] == {"tokenFile": "/f/clients/app/token"}
