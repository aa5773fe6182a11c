"""RequestInfo against the API server's own RequestInfoFactory, in volume."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import Denial
from tests.oracle.corpus import (
    FIELD_SELECTORS,
    LABEL_SELECTORS,
    METHODS,
    NAMES,
    NAMESPACES,
    RESOURCES,
    RequestLine,
    generate,
)
from tests.oracle.programs import Program, ask_all

CORPUS = 60_000
FIELDS = (
    "is_resource",
    "path",
    "verb",
    "api_prefix",
    "group",
    "version",
    "namespace",
    "resource",
    "subresource",
    "name",
    "field_selector",
    "label_selector",
)


@pytest.fixture(scope="module")
def factory() -> Iterator[Program]:
    with Program("requestinfo") as program:
        yield program


def judge(line: RequestLine) -> RequestInfo | Denial:
    target = parse_target(line.target)
    return target if isinstance(target, Denial) else request_info(line.method, target)


def question(line: RequestLine) -> bytes:
    return line.method.encode() + b"\t" + line.target


def from_factory(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "is_resource": answer["isResource"],
        "path": answer["path"],
        "verb": answer["verb"],
        "api_prefix": answer["apiPrefix"],
        "group": answer["group"],
        "version": answer["version"],
        "namespace": answer["namespace"],
        "resource": answer["resource"],
        "subresource": answer["subresource"],
        "name": answer["name"],
        "field_selector": answer["fieldSelector"],
        "label_selector": answer["labelSelector"],
    }


def from_ours(info: RequestInfo) -> dict[str, Any]:
    return {field: getattr(info, field) for field in FIELDS}


def test_corpus_equals_the_factory() -> None:
    judged = [(line, judge(line)) for line in generate(2, CORPUS)]
    accepted = [(line, info) for line, info in judged if isinstance(info, RequestInfo)]
    answers = list(ask_all("requestinfo", (question(line) for line, _ in accepted)))
    assert len(answers) == len(accepted)
    different = [
        (line, from_ours(info), answer)
        for (line, info), answer in zip(accepted, answers, strict=True)
        if "error" in answer or from_ours(info) != from_factory(answer)
    ]
    assert different[:5] == []
    different_ones = len({info for _, info in accepted})
    sys.stdout.write(f"{len(accepted)} of {CORPUS} accepted and equal, {different_ones} distinct\n")
    assert len(accepted) > CORPUS * 0.7
    assert different_ones > CORPUS * 0.4


# Segments and values from the corpus, and whatever characters Hypothesis thinks of.
segments = st.one_of(
    st.sampled_from(
        (*NAMES, *NAMESPACES, "api", "apis", "v1", "namespaces", "watch", "proxy", "pods")
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=8),
)
prefixes = st.sampled_from(sorted({prefix for prefix, *_ in RESOURCES}))
values = st.one_of(
    st.sampled_from((*LABEL_SELECTORS, *FIELD_SELECTORS, "true", "false", "0", "1")),
    st.text(st.sampled_from("ab.-/=!(),<> \\10inot"), max_size=16),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
keys = st.sampled_from(("watch", "fieldSelector", "labelSelector", "limit", "timeoutSeconds", "x"))


def escape(text: str, choices: list[bool]) -> str:
    """Some characters escaped that need not be, and all that must be."""
    keep = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    return "".join(
        chr(byte) if chr(byte) in keep and choices[index % len(choices)] else f"%{byte:02X}"
        for index, byte in enumerate(text.encode("utf-8"))
    )


@given(
    method=st.sampled_from(METHODS),
    prefix=prefixes,
    parts=st.lists(segments, max_size=6),
    trailing=st.booleans(),
    pairs=st.lists(st.tuples(keys, values), max_size=4),
    choices=st.lists(st.booleans(), min_size=1, max_size=5),
)
@settings(max_examples=4000, deadline=None, derandomize=True)
def test_anything_equals_the_factory(
    factory: Program,
    method: str,
    prefix: str,
    parts: list[str],
    trailing: bool,
    pairs: list[tuple[str, str]],
    choices: list[bool],
) -> None:
    path = "/".join([prefix, *(escape(part, choices) for part in parts)])
    query = "&".join(f"{key}={escape(value, choices)}" for key, value in pairs)
    target = f"{path}{'/' if trailing else ''}{'?' if query else ''}{query}".encode("ascii")
    compare(factory, RequestLine(method, target))


@given(
    method=st.sampled_from(METHODS),
    start=st.sampled_from(("/", "/api/v1/", "/apis/a/v1/", "")),
    rest=st.binary(max_size=24).filter(lambda raw: not set(raw) & {9, 10, 13, 32}),
)
@settings(max_examples=4000, deadline=None, derandomize=True)
def test_raw_bytes_equal_the_factory(
    factory: Program, method: str, start: str, rest: bytes
) -> None:
    compare(factory, RequestLine(method, start.encode() + rest))


def compare(factory: Program, line: RequestLine) -> None:
    info = judge(line)
    if isinstance(info, RequestInfo):
        answer = factory.ask(question(line))
        assert "error" not in answer
        assert from_ours(info) == from_factory(answer)
