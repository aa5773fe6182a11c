import pytest

from sidecar.objects import Inspection, TransformError


@pytest.mark.parametrize(
    ("asked", "namespace", "required"),
    [
        ("team-a", "team-a", True),
        ("team-a", "team-a", False),
        ("team-a", None, False),
        ("", None, True),
        ("", "team-b", True),
    ],
)
def test_an_object_of_the_namespace_passes(
    asked: str, namespace: str | None, required: bool
) -> None:
    Inspection(asked).check(namespace, required=required)


@pytest.mark.parametrize(
    ("namespace", "required"),
    [("team-b", True), ("team-b", False), (None, True), ("", True), ("", False), ("Team-A", True)],
)
def test_any_other_is_foreign(namespace: str | None, required: bool) -> None:
    with pytest.raises(TransformError, match="a foreign namespace, not of team-a"):
        Inspection("team-a").check(namespace, required=required)


def test_versions_are_tagged_where_there_is_a_code() -> None:
    assert Inspection("team-a").tagged("5") == "5"
    assert Inspection("team-a").tagged_continue("abc") == "abc"
    assert Inspection("team-a", 7421).tagged("5") == "57421"
    assert Inspection("team-a", 7421).tagged_continue("abc") == "7421.abc"


def test_what_cannot_be_tagged_is_not_passed_on() -> None:
    with pytest.raises(TransformError, match="no decimal integer"):
        Inspection("team-a", 7421).tagged("v5")
