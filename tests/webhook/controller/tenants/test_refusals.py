"""Why a write failed, and whether trying again helps."""

import pytest

from webhook.controller.tenants.kinds import BINDING, QUOTA, Place, Step
from webhook.controller.tenants.refusals import explain_failure
from webhook.kube import KubeError

PLACE = Place(QUOTA, "a", "mca-quota")


@pytest.mark.parametrize(
    ("status", "passing"),
    [(0, True), (404, True), (408, True), (429, True), (500, True), (503, True), (409, True),
     (403, False), (422, False)],
)  # fmt: skip
def test_what_passes_by_itself(status: int, passing: bool) -> None:
    problem = explain_failure(PLACE, KubeError(status, "", "no"))
    assert problem.passing is passing
    assert (problem.step, problem.namespace, problem.reason) == (Step.QUOTA, "a", "Failed")
    assert problem.message == "ResourceQuota a/mca-quota: no"


def test_a_conflict_of_fields_names_them() -> None:
    causes = {"causes": [{"field": ".spec.b"}, {"field": ".spec.a"}, "odd"]}
    problem = explain_failure(PLACE, KubeError(409, "Conflict", "long text", causes))
    assert not problem.passing
    assert "somebody else has set .spec.a, .spec.b otherwise" in problem.message


def test_a_namespace_that_ends_is_no_lack_of_rights() -> None:
    message = "unable to create new content in namespace a because it is being terminated"
    problem = explain_failure(PLACE, KubeError(403, "Forbidden", message))
    assert (problem.passing, problem.reason) == (True, "Ending")


def test_a_role_that_may_not_be_bound_has_a_remedy() -> None:
    problem = explain_failure(
        Place(BINDING, "a", "mca-custom-x"), KubeError(403, "Forbidden", "no")
    )
    assert "mca.io/aggregate-to-controller" in problem.message
    abroad = explain_failure(
        Place(BINDING, "a", "mca-custom-x"), KubeError(403, "Forbidden", "no"), abroad=True
    )
    assert "admin of that cluster" in abroad.message
    assert "aggregate" not in abroad.message
    assert "aggregate" not in explain_failure(PLACE, KubeError(403, "Forbidden", "no")).message
