"""Which clusters may be used, and what is said of the others."""

import pytest

from tests.webhook.controller.compiling.scene import CLUSTERS, make_case, make_tenant_value
from tests.webhook.resources.objects import make_cluster, make_namespace
from webhook.controller.compiling.case import Case
from webhook.controller.compiling.members import choose_members


def judge(name: str, case: Case) -> str:
    """The reason, or ""."""
    tenant = make_tenant_value()
    verdict = choose_members(tenant, case).judge(name, tenant)
    return "" if verdict is None else verdict.reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("home", ""),
        ("eu-1", ""),
        ("gold", ""),
        ("stored", ""),
        ("new", "ClusterNotAccepted"),
        ("gone", "ClusterUnknown"),
        ("other", "ClusterNotAllowed"),
    ],
)
def test_verdicts(name: str, reason: str) -> None:
    assert judge(name, make_case()) == reason


def test_a_cluster_that_cannot_be_read_is_not_accepted() -> None:
    case = make_case(clusters=(make_cluster("eu-1", "Accepted", server="ftp://x"),))
    assert judge("eu-1", case) == "ClusterNotAccepted"


def test_nothing_is_told_of_clusters_of_others() -> None:
    """Not even whether they are there."""
    tenant = make_tenant_value()
    members = choose_members(tenant, make_case(clusters=(*CLUSTERS, make_cluster("secret"))))
    there, nowhere = members.judge("secret", tenant), members.judge("nowher", tenant)
    assert there is not None
    assert nowhere is not None
    assert there.message.replace("secret", "nowher") == nowhere.message


def test_what_the_broker_hands_out_needs_the_boundary() -> None:
    case = make_case(namespace=make_namespace())
    assert judge("stored", case) == "BoundaryRequired"
    assert judge("eu-1", case) == ""


def test_and_the_broker() -> None:
    case = make_case(broker=None)
    assert judge("stored", case) == "BrokerUnknown"
    assert judge("eu-1", case) == ""


def test_home_among_the_clusters_is_nothing_new() -> None:
    members = choose_members(make_tenant_value(clusters=["home"]), make_case())
    assert members == ({}, {})
