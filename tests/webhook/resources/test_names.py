"""Paths of the custom resources."""

from webhook.resources.names import CLUSTERS_PATH, ROUTES_PATH, TENANTS_PATH, object_path


def test_paths() -> None:
    assert CLUSTERS_PATH == "/apis/mca.io/v1alpha1/clusters"
    assert object_path("Cluster", "eu-1") == f"{CLUSTERS_PATH}/eu-1"
    assert object_path("Tenant", "acme") == f"{TENANTS_PATH}/acme"
    assert ROUTES_PATH == "/apis/mca.io/v1alpha1/routes"
    where = "/apis/mca.io/v1alpha1/namespaces/team-a/routes/dev"
    assert object_path("Route", "dev", "team-a") == where
