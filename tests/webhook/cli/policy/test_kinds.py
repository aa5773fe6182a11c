import pytest

from tests.controlplane import ControlPlane
from webhook.cli.policy.kinds import Kind, KindError, Kinds, list_built_in


def test_the_table_is_what_a_real_server_serves(control_plane: ControlPlane) -> None:
    groups = control_plane.request("GET", "/apis").json()["groups"]
    # Other tests install groups of their own on the same server.
    preferred = {
        group["name"]: group["preferredVersion"]["version"]
        for group in groups
        if "." not in group["name"] or group["name"].endswith(".k8s.io")
    }
    served = {}
    for group, version in {"": "v1", **preferred}.items():
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        for item in control_plane.request("GET", root).json()["resources"]:
            if "/" not in item["name"]:
                kind = Kind(group, version, item["name"], item["namespaced"])
                served[group, item["name"]] = kind
                for word in (item["singularName"], *item.get("shortNames", ())):
                    assert Kinds().read(f"{word}.{group}" if group else f"{word}.v1.") == kind
    assert list_built_in() == served


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("pods", Kind("", "v1", "pods", True)),
        ("Pod", Kind("", "v1", "pods", True)),
        ("po", Kind("", "v1", "pods", True)),
        ("pods.v1.", Kind("", "v1", "pods", True)),
        ("no", Kind("", "v1", "nodes", False)),
        ("ingress", Kind("networking.k8s.io", "v1", "ingresses", True)),
        ("netpol", Kind("networking.k8s.io", "v1", "networkpolicies", True)),
        ("networkpolicy", Kind("networking.k8s.io", "v1", "networkpolicies", True)),
        ("events", Kind("", "v1", "events", True)),
        ("ev.events.k8s.io", Kind("events.k8s.io", "v1", "events", True)),
        ("deployments.apps", Kind("apps", "v1", "deployments", True)),
        ("deploy.v1beta1.apps", Kind("apps", "v1beta1", "deployments", True)),
        ("hpa", Kind("autoscaling", "v2", "horizontalpodautoscalers", True)),
        ("widgets.example.com", Kind("example.com", "v1", "widgets", None)),
        ("widgets.v1alpha2.example.com", Kind("example.com", "v1alpha2", "widgets", None)),
        ("widgets.v2x.com", Kind("v2x.com", "v1", "widgets", None)),
    ],
)
def test_a_kind_is_read_as_kubectl_reads_it(text: str, kind: Kind) -> None:
    assert Kinds().read(text) == kind


def test_what_is_no_kind() -> None:
    with pytest.raises(KindError, match=r"as in widgets\.example\.com, or give the request's path"):
        Kinds().read("widgets")


def test_hints_tell_more_and_win() -> None:
    kinds = Kinds(["widgets.example.com=cluster, gadgets.example.com=namespaced", "pods=cluster"])
    assert kinds.namespaced("example.com", "widgets") is False
    assert kinds.namespaced("example.com", "gadgets") is True
    assert kinds.namespaced("", "pods") is False
    assert kinds.is_hinted("", "pods")
    assert not kinds.is_hinted("", "secrets")
    assert kinds.read("gadget") == Kind("example.com", "v1", "gadgets", True)


@pytest.mark.parametrize("hint", ["", "widgets", "widgets=maybe", "a=cluster,", "A.b=cluster"])
def test_a_hint_that_tells_nothing(hint: str) -> None:
    with pytest.raises(KindError, match=r"write PLURAL\.GROUP=namespaced or =cluster"):
        Kinds([hint])


def test_titles() -> None:
    assert [Kinds().read(text).title for text in ("po", "deploy")] == ["pods", "deployments.apps"]
