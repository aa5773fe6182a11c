from sidecar.policy.snapshot_clusters import Cluster, ClusterLimits, HealthCheck, TokenFile


def test_what_a_cluster_need_not_say() -> None:
    cluster = Cluster("home", "https://a", "a", 443, b"pem", None, None, TokenFile("/t"))
    assert cluster.health is None
    assert cluster.limits == ClusterLimits(0, 0)
    assert HealthCheck() == ("/readyz", 10, 2, 3)
