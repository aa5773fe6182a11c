"""What becomes of an application's container."""

from typing import Any

from tests.webhook.admission.scene import ACCOUNT_PATH, make_container
from webhook.admission.application import adapt_container, hides_account

OURS = {"name": "mca-clients", "mountPath": ACCOUNT_PATH, "readOnly": True, "subPath": "app"}
GONE = frozenset({"kube-api-access-1", "mca-clients"})
ADDRESS = [
    {"name": "KUBERNETES_SERVICE_HOST", "value": "127.0.0.1"},
    {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
    {"name": "KUBERNETES_SERVICE_PORT_HTTPS", "value": "6443"},
]


def mount(name: str, path: str = ACCOUNT_PATH) -> dict[str, Any]:
    return {"name": name, "mountPath": path}


def test_with_the_api() -> None:
    data, late = mount("data", "/data"), mount("late", "/late")
    container = make_container(volumeMounts=[data, mount("kube-api-access-1"), late])
    adapted = adapt_container(container, GONE, 6443)
    assert adapted["volumeMounts"] == [data, OURS, late]
    assert adapted["env"] == ADDRESS
    assert adapt_container(adapted, GONE, 6443) is adapted
    assert container["volumeMounts"][1]["name"] == "kube-api-access-1"


def test_variables_stay_where_they_are_and_come_once() -> None:
    env = [
        {"name": "FIRST", "value": "1"},
        {"name": "KUBERNETES_SERVICE_PORT", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},
        {"name": "KUBERNETES_SERVICE_PORT", "value": "443"},
    ]
    adapted = adapt_container(make_container(env=env), GONE, 7443)
    assert [(item["name"], item["value"]) for item in adapted["env"]] == [
        ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
        ("KUBERNETES_SERVICE_PORT_HTTPS", "7443"),
        ("FIRST", "1"),
        ("KUBERNETES_SERVICE_PORT", "7443"),
    ]


def test_without_the_api() -> None:
    container = make_container(volumeMounts=[mount("kube-api-access-1")], env=[])
    adapted = adapt_container(container, GONE, None)
    assert "volumeMounts" not in adapted
    plain = make_container(volumeMounts=[mount("own")])
    assert adapt_container(plain, GONE, None) is plain


def test_a_mount_of_its_own_goes_only_for_the_api() -> None:
    container = make_container(volumeMounts=[mount("own")])
    assert hides_account(container, GONE)
    assert not hides_account(make_container(volumeMounts=[mount("mca-clients")]), GONE)
    assert not hides_account(make_container(volumeMounts=[mount("own", "/own")]), GONE)
    assert adapt_container(container, GONE, 6443)["volumeMounts"] == [OURS]
