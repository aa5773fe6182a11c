"""Paths of the objects that a tenant is made of."""

from webhook.controller.tenants.kinds import BINDING, QUOTA, Place, Step, place_namespace


def test_objects_have_the_apis_paths() -> None:
    assert QUOTA.collection == "/api/v1/resourcequotas"
    assert QUOTA.path("a") == "/api/v1/namespaces/a/resourcequotas"
    place = Place(BINDING, "a", "b")
    root = "/apis/rbac.authorization.k8s.io/v1"
    assert place.path == f"{root}/namespaces/a/rolebindings/b"
    assert BINDING.collection == f"{root}/rolebindings"
    assert (place.step, place.shown) == (Step.ACCESS, "RoleBinding a/b")


def test_a_namespace_is_its_own_place() -> None:
    place = place_namespace("a")
    assert (place.path, place.namespace) == ("/api/v1/namespaces/a", "a")
    assert (place.step, place.shown) == (Step.NAMESPACES, "Namespace a")
