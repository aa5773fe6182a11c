"""How lists are shown."""

import json

import pytest

from webhook.cli.table import describe_age, render_list, render_table


def test_columns_line_up_and_nothing_moves_the_cursor() -> None:
    rows = [("eu-1", "yes"), ("a-much-longer-name", ""), ("x\x1b[2J", "no")]
    assert list(render_table(("NAME", "READY"), rows)) == [
        "NAME                 READY",
        "eu-1                 yes",
        "a-much-longer-name   -",
        "x?[2J                no",
    ]


def test_one_document() -> None:
    assert json.loads(render_list([{"a": 1}])) == {"items": [{"a": 1}]}


@pytest.mark.parametrize(
    ("created", "age"),
    [
        ("2026-11-21T12:00:00Z", "0s"),
        ("2026-11-21T11:59:18Z", "42s"),
        ("2026-11-21T11:00:00Z", "1h"),
        ("2026-11-01T11:00:00Z", "20d"),
        ("never", ""),
        (None, ""),
    ],
)
def test_ages(created: object, age: str) -> None:
    assert describe_age(created, 1795262400.0) == age
