import pytest

from sidecar.policy.index import Row
from webhook.cli.policy.covering import Covering, PathCovering

PODS = Row(("get", "list"), ("",), ("pods",))


@pytest.mark.parametrize(
    ("wide", "narrow", "holds"),
    [
        (PODS, PODS, True),
        (PODS._replace(verbs=("*",)), PODS, True),
        (PODS, PODS._replace(verbs=("*",)), False),
        (PODS._replace(verbs=("list", "watch", "get")), PODS, True),
        (PODS._replace(verbs=("get",)), PODS, False),
        (PODS._replace(groups=("*",)), PODS, True),
        (PODS._replace(groups=("apps",)), PODS, False),
        (PODS._replace(resources=("*",)), PODS._replace(resources=("pods", "pods/*")), True),
        (PODS._replace(resources=("pods/*",)), PODS, False),
        (PODS._replace(resources=("pods/*",)), PODS._replace(resources=("pods/log",)), True),
        (PODS._replace(resources=("*/log",)), PODS._replace(resources=("pods/log",)), True),
        (PODS._replace(resources=("*/log",)), PODS._replace(resources=("pods/*",)), False),
        (PODS, PODS._replace(resources=("*",)), False),
        (PODS._replace(names=("ci-*",)), PODS._replace(names=("ci-1", "ci-a-*")), True),
        (PODS._replace(names=("ci-*",)), PODS._replace(names=("ci-1", "c*")), False),
        (PODS._replace(names=("*-a",)), PODS._replace(names=("x-*-a",)), True),
        (PODS._replace(names=("a*b*c",)), PODS._replace(names=("a1b*2c",)), True),
        (PODS._replace(names=("a*",)), PODS, False),
        (PODS._replace(namespaces=("team-*",)), PODS._replace(namespaces=("team-a",)), True),
        (PODS._replace(containers=("app",)), PODS, False),
        (PODS, PODS._replace(service_accounts=("ci",)), True),
    ],
)
def test_one_takes_all_of_the_other(wide: Row, narrow: Row, holds: bool) -> None:
    covering = Covering([PODS._replace(groups=("none",)), wide, narrow])
    assert bool(covering.find(narrow) & 2) is holds
    assert covering.find(narrow) & 4


def test_paths() -> None:
    rows = [
        (("get",), ("/metrics*",), ("*",), ("*",)),
        (("get",), ("/metrics/cadvisor",), ("app",), ("*",)),
    ]
    covering = PathCovering(rows)
    assert [covering.find(row) for row in rows] == [0b01, 0b11]
