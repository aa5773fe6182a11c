"""YAML is read as what was written, and has the remarks where they belong."""

import string
from typing import Any

import yaml
from hypothesis import given, strategies as st

from tests.webhook.install.test_objects import FULL
from webhook.install.objects import assemble, build_objects
from webhook.install.remarks import Remarked, strip_remarks
from webhook.install.text import Writer, render_yaml

SCALARS = st.one_of(
    st.text(),
    st.text(alphabet=string.ascii_letters + " :#'\"{}[]-,\n", max_size=300),
    st.integers(),
    st.booleans(),
    st.none(),
)
NODES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), NODES, min_size=1, max_size=4))
def test_it_is_read_as_what_was_written(document: Any) -> None:
    assert yaml.safe_load(Writer().write_document(document)) == document


def test_an_installation_is_read_as_its_objects() -> None:
    assert list(yaml.safe_load_all(render_yaml(FULL))) == build_objects(FULL)


def test_remarks_stand_above_what_they_are_about() -> None:
    rule = Remarked("one secret", {"verbs": ["get"], "in": Remarked("kept", {"a": 1})})
    document = Remarked("all\n  of it", {"rules": [rule]})
    assert Writer().write_document(document).splitlines() == [
        "# all of it",
        "rules:",
        "  # one secret",
        "  - verbs: [get]",
        "    # kept",
        "    in:",
        "      a: 1",
    ]
    assert type(strip_remarks(document)["rules"][0]) is dict


def test_every_right_is_explained() -> None:
    """Of our own accounts one by one; the roles that others are given are explained as a whole."""
    for document in assemble(FULL):
        if document["kind"] in ("Role", "ClusterRole"):
            own = document["metadata"]["name"] in ("mca-webhook", "mca-controller")
            for part in document["rules"] if own else [document]:
                assert isinstance(part, Remarked), part


def test_long_texts_are_folded_and_lines_stay_short() -> None:
    text = " ".join(["word"] * 60)
    written = Writer().write_document({"a": {"b": text}})
    assert max(len(line) for line in written.splitlines()) <= 100
    assert yaml.safe_load(written) == {"a": {"b": text}}
