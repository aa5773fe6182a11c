"""What is left to do: accounts of their own are allowed, a tenant's one is given rights."""

from webhook.cli.cluster.next_steps import describe_next


def test_each_pod_has_its_own_account() -> None:
    told = "\n".join(describe_next("eu-1", "eu admin", "", "mca-home-1"))
    assert "mca cluster allow eu-1 --context 'eu admin' --tenant TENANT -n NAMESPACE" in told
    assert "rolebinding" not in told


def test_all_pods_of_a_tenant_have_one() -> None:
    told = "\n".join(describe_next("lab", "lab", "acme", "mca-home-1-acme"))
    assert "spec.clusters of the Tenant acme" in told
    assert "--serviceaccount mca-access:mca-home-1-acme" in told
    assert "mca cluster allow" not in told
