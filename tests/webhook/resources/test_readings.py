"""Whatever an object holds, reading it tells what is wrong and never raises."""

from typing import Any

from hypothesis import given, strategies as st

from sidecar.policy.fields import Check
from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.meta import Invalid
from webhook.resources.readings import given as given_fields, problems_of
from webhook.resources.routes import Route, parse_route
from webhook.resources.tenants import Tenant, parse_tenant

KEYS = (
    "server", "caBundle", "credentials", "audience", "tokenRequest", "secretRef", "name", "labels",
    "namespaces", "names", "selector", "matchLabels", "matchExpressions", "permissions", "routes",
    "match", "to", "members", "cluster", "standIns", "priority", "owners", "kind", "mode",
    "network", "allow", "ingress", "quota", "clusters", "limits", "profile", "roles", "reclaim",
    "boundary",
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from(["a", "custom", "*", "", "é"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
METADATA = st.fixed_dictionaries({"name": SCALARS, "labels": VALUES})
DOCUMENTS = st.fixed_dictionaries(
    {"metadata": METADATA, "spec": st.dictionaries(st.sampled_from(KEYS), VALUES), "status": VALUES}
)


@given(DOCUMENTS)
def test_nothing_raises(document: dict[str, Any]) -> None:
    assert isinstance(parse_cluster(document), Cluster | Invalid)
    assert isinstance(parse_route(document), Route | Invalid)
    assert isinstance(parse_tenant(document), Tenant | Invalid)


def test_paths_are_renamed_and_problems_bounded() -> None:
    check = Check()
    for number in range(30):
        check.fail(f"clusters[1].x{number}", "is bad")
    check.fail("clusters[1].x", "is never told")
    told = problems_of(check, {"clusters[1]": "spec"})
    assert told[0] == "spec.x0: is bad"
    assert len(told) == 20
    check.errors = ["other: is bad"]
    assert problems_of(check, {"clusters[1]": "spec"}) == ("other: is bad",)


def test_what_is_none_is_not_given() -> None:
    assert given_fields(a=1, b=None, c=False) == {"a": 1, "c": False}
