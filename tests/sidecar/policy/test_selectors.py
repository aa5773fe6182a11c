"""tests/oracle holds these grammars against apimachinery's own parsers, in volume."""

import pytest

from sidecar.policy.selectors import exact_field, label_selector_parses, name_in_list_options


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name==a", "a"),
        ("metadata.name!=a", None),
        ("metadata.name=", ""),
        ("metadata.namespace=a", None),
        ("", None),
        # Sorted before they are searched.
        ("metadata.name=b,metadata.name=a", "a"),
        ("spec.nodeName=n,metadata.name=a", "a"),
        (",,metadata.name=a,", "a"),
        (r"metadata.name=a\,b", "a,b"),
        (r"metadata.name=a\=b\\", "a=b\\"),
        (r"metadata.name=a\b", None),
        ("metadata.name=a\\", None),
        ("metadata.name=a=b", None),
        ("metadata.name=a,bad", None),
        ("metadata.name =a", None),
        ("metadata.name= a", " a"),
    ],
)
def test_the_field_that_a_selector_fixes(selector: str, name: str | None) -> None:
    assert exact_field(selector, "metadata.name") == name


GOOD_LABELS = (
    "", " ", "a", "!a", "! a", "a=b", "a==b", "a!=b", "a=", "a=,b", "a in (b)", "a in (b,c)",
    "a in ()", "a in (,)", "a in (b,,c)", "a notin (b)", "a in(b)", "a>1", "a>007",
    "a,b,!c", "example.com/a=b", "in", "notin", "in in (in,notin)", "in=notin", "\ta\n=\r b ",
    "x" * 63, "a=" + "x" * 63, "A_b.c-d=E_f.g-h",
)  # fmt: skip
BAD_LABELS = (
    ",", ",a", "a,", "a,,b", "a b", "a=b c", "a===b", "a=!b", "!a=b", "!!a", "!", "=", "=a",
    "a in", "a in b", "a in (b", "a in b)", "a in (b c)", "a in (b))", "a in (=)", "a>", "a<-1",
    "a>+1", "a>x", "a<1.5", "a>9223372036854775808", "a<=1", "a!b", "a!in(b)", "/a", "a/", "a/b/c",
    "A.B/c", "-a", "a=-b", "a=b-", "ü", "a=ü", "x" * 64, "a=" + "x" * 64, "x" * 254 + "/a", "(a)",
    "a=(b)", "a in (" + "x" * 64 + ")", "a inx (b)", "a=b\x00",
)  # fmt: skip


@pytest.mark.parametrize("selector", GOOD_LABELS)
def test_label_selectors_that_parse(selector: str) -> None:
    assert label_selector_parses(selector)


@pytest.mark.parametrize("selector", BAD_LABELS)
def test_label_selectors_that_do_not(selector: str) -> None:
    assert not label_selector_parses(selector)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, ""),
        ({"fieldSelector": ""}, ""),
        ({"fieldSelector": "metadata.name=a"}, "a"),
        ({"fieldSelector": "metadata.name="}, ""),
        ({"fieldSelector": "metadata.name=."}, ""),
        ({"fieldSelector": "metadata.name=.."}, ""),
        ({"fieldSelector": "metadata.name=a/b"}, ""),
        ({"fieldSelector": "metadata.name=a%b"}, ""),
        ({"fieldSelector": "bad"}, ""),
        # A list option that does not decode makes the server forget the name.
        ({"fieldSelector": "metadata.name=a", "labelSelector": "b in"}, ""),
        ({"fieldSelector": "metadata.name=a", "labelSelector": "b"}, "a"),
        ({"fieldSelector": "metadata.name=a", "limit": "x"}, ""),
        ({"fieldSelector": "metadata.name=a", "limit": ""}, ""),
        ({"fieldSelector": "metadata.name=a", "limit": "500", "timeoutSeconds": "+0"}, "a"),
        ({"fieldSelector": "metadata.name=a", "timeoutSeconds": "9223372036854775807"}, "a"),
        ({"fieldSelector": "metadata.name=a", "timeoutSeconds": "9223372036854775808"}, ""),
        ({"fieldSelector": "metadata.name=a", "timeoutSeconds": "-9223372036854775808"}, "a"),
        ({"fieldSelector": "metadata.name=a", "timeoutSeconds": "-9223372036854775809"}, ""),
        ({"fieldSelector": "metadata.name=a", "limit": "0" * 300 + "7"}, "a"),
        ({"fieldSelector": "metadata.name=a", "limit": "1" * 5000}, ""),
        ({"fieldSelector": "metadata.name=a", "resourceVersion": "x", "watch": "x"}, "a"),
    ],
)
def test_the_name_in_list_options(options: dict[str, str], name: str) -> None:
    assert name_in_list_options(options) == name


def test_long_selectors_cost_little() -> None:
    """Attack 82: these would run for hours if the patterns backtracked."""
    for text in ("a" * 250_000, "a," * 125_000, "\\," * 125_000, "=" * 250_000, " " * 250_000):
        exact_field(text, "metadata.name")
        label_selector_parses(text)
        name_in_list_options({"fieldSelector": "metadata.name=a", "limit": "0" * 250_000 + "x"})
