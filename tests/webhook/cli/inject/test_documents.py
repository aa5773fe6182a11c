"""Files of many documents: what is not changed keeps its text."""

import pytest
import yaml

from webhook.cli.inject.documents import (
    DocumentError,
    join_documents,
    render_document,
    split_documents,
)

TEXT = """\
# first
a: 1   # one
---  # second
text: |
  --- no mark
  x
--- {b: [1, 2]}
---
# nothing
"""


BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


def test_aliases_and_large_documents_are_read() -> None:
    (document,) = split_documents("a: &a {b: 1}\nc: [*a, *a]\n", "x")
    assert document.content == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}
    (large,) = split_documents("- a\n" * 120_000, "x")
    assert len(large.content) == 120_000


def test_documents_and_their_text() -> None:
    documents = list(split_documents(TEXT, "x"))
    assert [document.content for document in documents] == [
        {"a": 1}, {"text": "--- no mark\nx\n"}, {"b": [1, 2]}, None,
    ]  # fmt: skip
    assert join_documents([document.text for document in documents]) == TEXT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\n---\nb: [", "x: document 2, line 2 of it: "),
        ("a: 1\na: 2\n", "x: document 1, line 2 of it: the key 'a' is there twice"),
        ("a: !!python/object:x {}\n", "x: document 1, line 1 of it: could not determine"),
        ("[" * 1500, "x: document 1: "),
        ("a: \x01", "x: document 1"),
        (BOMB, "x: document 1: with its aliases written out it has more than 100000 parts"),
        ("a: &a [*a]", "x: document 1: with its aliases written out"),
    ],
)
def test_what_cannot_be_read(text: str, told: str) -> None:
    with pytest.raises(DocumentError) as error:
        list(split_documents(text, "x"))
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        "1e3",
        "0o17",
        "2020-01-01",
        "y",
        "No",
        "null",
        "",
        "~",
        "a: b",
        "1:30",
        ".5",
        "<<",
        "x\ny\n",
        "é",
    ],
)
def test_a_text_stays_a_text(text: str) -> None:
    rendered = render_document({"key": text, text or "x": 1})
    assert yaml.safe_load(rendered)["key"] == text


def test_no_other_reader_takes_it_for_a_number() -> None:
    assert '"1e3"' in render_document(["1e3"])
    assert '"y"' in render_document(["y"])
    assert "- plain" in render_document(["plain"])
    assert "|" in render_document(["a\nb\n"])


def test_a_date_stays_a_text_and_what_is_shared_is_written_twice() -> None:
    (document,) = split_documents("when: 2020-01-01\n", "x")
    assert document.content == {"when": "2020-01-01"}
    shared = {"a": 1}
    assert render_document([shared, shared]) == "\n- a: 1\n- a: 1\n"
