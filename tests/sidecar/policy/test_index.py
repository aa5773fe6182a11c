from hypothesis import given, strategies as st

from sidecar.policy.globs import pattern_matches
from sidecar.policy.index import (
    Axis,
    Index,
    KindAxis,
    ObjectName,
    PathIndex,
    PathRow,
    Row,
    first_rule,
)
from tests.sidecar.policy.calls import CALLER, call

ENTRIES = st.text(alphabet="ab*", min_size=1, max_size=5)
COLUMNS = st.lists(st.lists(ENTRIES, min_size=1, max_size=3).map(tuple), max_size=6)
RULES = st.integers(min_value=0, max_value=63)


def rules(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


@given(COLUMNS, st.text(alphabet="abc", max_size=5), RULES)
def test_an_axis_finds_what_looking_at_each_rule_finds(
    columns: list[tuple[str, ...]], value: str, among: int
) -> None:
    expected = rules(
        *(
            number
            for number, column in enumerate(columns)
            if any(pattern_matches(entry, value) for entry in column)
        )
    )
    assert Axis(columns).find(value, among) == expected & among
    assert Axis(columns).find(value, -1) == expected


@given(
    COLUMNS,
    st.text(alphabet="ab", max_size=3),
    st.text(alphabet="bcd", min_size=5, max_size=5),
    RULES,
)
def test_what_an_axis_tells_of_generated_names_holds(
    columns: list[tuple[str, ...]], base: str, end: str, among: int
) -> None:
    axis = Axis(columns)
    sure, maybe = axis.find_generated(base, among)
    found = axis.find(base + end, among)
    assert sure & ~found == 0
    assert found & ~maybe == 0


def test_any_value_and_some_values() -> None:
    assert Axis([("*",), ("a", "**")]).selects is False
    assert Axis([("*",), ("**",)]).any == rules(0, 1)
    axis = Axis([("a",), ("*",)])
    assert (axis.selects, axis.any) == (True, rules(1))


def test_one_rule_of_many_values_shares_its_int() -> None:
    axis = Axis([(), *[tuple(f"v{number}" for number in range(50))] * 40])
    assert len({id(found) for found in axis._literals.values()}) == 1


def test_kinds_and_their_subresources() -> None:
    axis = KindAxis(
        [("pods",), ("pods/exec",), ("pods/*",), ("*/scale",), ("*",), ("pods/exec", "pods")]
    )
    assert axis.find("pods", "") == rules(0, 4, 5)
    assert axis.find("pods", "exec") == rules(1, 2, 4, 5)
    assert axis.find("pods", "scale") == rules(2, 3, 4)
    assert axis.find("jobs", "scale") == rules(3, 4)
    assert axis.find("jobs", "") == rules(4)
    assert axis.find_named("pods", "exec") == rules(1, 5)
    assert axis.find_named("pods", "") == rules(0, 5)
    assert axis.find_named("pods", "scale") == 0


ALL = ("*",)
INDEX = Index(
    [
        Row(("get",), ("",), ("pods",)),
        Row(ALL, ALL, ALL),
        Row(("get",), ("apps",), ("pods",)),
        Row(("get",), ("",), ("pods",), namespaces=("b",)),
        Row(("get",), ("",), ("pods",), containers=("ci",)),
        Row(("get",), ("",), ("pods",), service_accounts=("ci",)),
        Row(("get",), ("",), ("pods",), names=("web-*",)),
        Row(ALL, ("",), ALL),
    ]
)


def test_a_rule_speaks_of_a_call_by_all_its_selectors() -> None:
    get = call("GET", "/api/v1/namespaces/a/pods/web-0")
    found = INDEX.select("get", get, CALLER)
    assert found == rules(0, 1, 6, 7)
    assert INDEX.select("get", get, CALLER._replace(container="ci")) == found | rules(4)
    assert INDEX.select("get", get, CALLER._replace(service_account="ci")) == found | rules(5)
    there = call("GET", "/api/v1/namespaces/b/pods/web-0")
    assert INDEX.select("get", there, CALLER) == found | rules(3)
    assert INDEX.select("create", get, CALLER) == rules(1, 7)
    plain = Index([Row(("get",), ("",), ("pods",))])
    assert (plain.select("get", get, CALLER), plain.select("create", get, CALLER)) == (1, 0)


def test_names() -> None:
    both = rules(0, 6)
    get = call("GET", "/api/v1/namespaces/a/pods/web-0")
    assert INDEX.has_names
    assert not Index([Row(ALL, ALL, ALL)]).has_names
    assert Index([Row(ALL, ALL, ALL, namespaces=("a",))]).has_names
    assert INDEX.narrow(both, get, ObjectName("web-0")) == (both, both)
    assert INDEX.narrow(both, get, ObjectName("db-0")) == (rules(0), rules(0))
    assert INDEX.narrow(both, get, ObjectName("", "web-")) == (both, both)
    assert INDEX.narrow(both, get, ObjectName("", "db-")) == (rules(0), rules(0))
    assert INDEX.narrow(both, get, ObjectName()) == (rules(0), both)


def test_rules_that_spell_out_what_they_mean() -> None:
    pods = call("GET", "/api/v1/namespaces/a/pods/web-0")
    assert INDEX.spelled_out(pods) == rules(0, 3, 4, 5, 6)
    assert INDEX.spelled_out(call("GET", "/api/v1/namespaces/a/pods/x/log")) == 0
    assert INDEX.spelled_out(call("GET", "/apis/x/v1/namespaces/a/pods/x")) == 0
    assert INDEX.of_group("apps", rules(0, 1, 2)) == rules(1, 2)
    assert INDEX.of_kind("", "pods/exec") == rules(1, 7)
    assert INDEX.of_kind("apps", "pods") == rules(1, 2)
    assert INDEX.of_caller(CALLER) == rules(0, 1, 2, 3, 6, 7)


def test_paths() -> None:
    index = PathIndex(
        [
            PathRow(("get",), ("/metrics",)),
            PathRow(ALL, ("/logs/*",)),
            PathRow(("get",), ("/metrics",), ("ci",)),
            PathRow(("get",), ("/metrics",), ALL, ("ci",)),
            PathRow(("get",), ("/metrics/",)),
        ]
    )
    assert index.select("get", "/metrics", CALLER) == rules(0)
    assert index.select("get", "/metrics/", CALLER) == rules(0, 4)
    assert index.select("post", "/metrics", CALLER) == 0
    assert index.select("get", "/metrics", CALLER._replace(container="ci")) == rules(0, 2)
    assert index.select("get", "/metrics", CALLER._replace(service_account="ci")) == rules(0, 3)
    assert index.select("post", "/logs/", CALLER) == rules(1)
    assert index.select("post", "/logs/a/b", CALLER) == rules(1)
    assert index.select("post", "/logs", CALLER) == 0


def test_the_first_rule() -> None:
    assert [first_rule(found) for found in (1, 6, 8, 1 << 1000)] == [0, 1, 3, 1000]


def test_a_namespace_stands_in_itself() -> None:
    index = Index(
        [
            Row(ALL, ALL, ALL),
            Row(ALL, ALL, ALL, namespaces=("a", "b*")),
            Row(ALL, ALL, ALL, namespaces=("a",), names=("a",)),
        ]
    )
    for raw in ("/api/v1/namespaces", "/api/v1/namespaces/a"):
        info = call("GET", raw)
        found = index.select(info.verb, info, CALLER)
        assert found == rules(0, 1, 2)
        assert index.narrow(found, info, ObjectName("a")) == (found, found)
        assert index.narrow(found, info, ObjectName("c")) == (rules(0), rules(0))
        assert index.narrow(found, info, ObjectName()) == (rules(0), found)
        both = rules(0, 1)
        assert index.narrow(found, info, ObjectName("", "b-")) == (both, both)
    within = call("GET", "/api/v1/namespaces/c/namespaces/a")
    assert index.select("get", within, CALLER) == rules(0)
