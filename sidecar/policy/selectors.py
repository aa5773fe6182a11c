"""Owns how the API server reads list options: which name they ask for, and what fails to parse.

RequestInfoFactory takes a name from `fieldSelector` only when *all* list options decode, so their
grammars are here as far as they can fail: fields.ParseSelector, labels.Parse and strconv.ParseInt
of apimachinery 1.36. It must not match objects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELD_TERM: Final = re.compile(r"(?:[^\\,]++|\\.|\\\Z)++", re.DOTALL)
_FIELD_OPERATOR: Final = re.compile(r"!=|==|=")
_FIELD_VALUE: Final = re.compile(r"(?:[^\\,=]++|\\[\\,=])*+", re.DOTALL)
_FIELD_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)

_TOKEN: Final = re.compile(r"==|!=|[=!(),<>]|[^ \t\r\n=!(),<>]+")
# One letter a token: w a word, i the words `in` and `notin`, = an equality, < an order, and ! ( )
# , themselves.
_KINDS: Final = {
    "in": "i", "notin": "i", "=": "=", "==": "=", "!=": "=", "<": "<", ">": "<",
    "!": "!", "(": "(", ")": ")", ",": ",",
}  # fmt: skip
_REQUIREMENT: Final = re.compile(
    r"(?:![wi]|[wi](?:=[wi]?|<[wi]|i\([wi]?(?:,[wi]?)*\))?)(?:,(?=.)|\Z)"
)
_LABEL_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_DNS_SUBDOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
)
_INTEGER: Final = re.compile(r"[+-]?[0-9]++")
_INT64_DIGITS: Final = 19


def name_in_list_options(options: Mapping[str, str]) -> str:
    """The one name that a list or watch is limited to, as RequestInfoFactory sees it.

    "" where it sees none.
    """
    selector = options.get("fieldSelector")
    if not selector:
        return ""
    name = exact_field(selector, "metadata.name")
    if not name or name in (".", "..") or "/" in name or "%" in name:
        return ""
    if not all(_is_int64(options[key]) for key in ("limit", "timeoutSeconds") if key in options):
        return ""
    return name if label_selector_parses(options.get("labelSelector", "")) else ""


def exact_field(selector: str, field: str) -> str | None:
    """fields.ParseSelector(selector).RequiresExactMatch(field).

    None also where the selector does not parse.
    """
    if field not in selector:
        return None
    found: str | None = None
    # The terms stand between unescaped commas; the server sorts them before it looks for the first
    # that matches.
    for term in sorted(_FIELD_TERM.findall(selector)):
        operator = _FIELD_OPERATOR.search(term)
        if operator is None:
            return None
        raw_value = term[operator.end() :]
        if _FIELD_VALUE.fullmatch(raw_value) is None:
            return None
        if found is None and operator[0] != "!=" and term[: operator.start()] == field:
            found = _FIELD_ESCAPE.sub(r"\1", raw_value)
    return found


def label_selector_parses(selector: str) -> bool:
    """Whether labels.Parse takes it."""
    # Every character is blank, a symbol or part of a word: nothing is lost between the tokens.
    words: list[str] = _TOKEN.findall(selector)
    kinds = "".join([_KINDS.get(word, "w") for word in words])
    at = 0
    while at < len(kinds):
        requirement = _REQUIREMENT.match(kinds, at)
        if requirement is None:
            return False
        key = at + 1 if kinds[at] == "!" else at
        # The word after the key is an operator when it is `in` or `notin`.
        values = [words[i] for i in range(key + 1, requirement.end()) if kinds[i] in "wi"]
        if kinds[key + 1 : key + 2] == "i":
            del values[0]
        if not _requirement_is_valid(words[key], values, ordered=kinds[key + 1 : key + 2] == "<"):
            return False
        at = requirement.end()
    return True


def _requirement_is_valid(key: str, values: list[str], *, ordered: bool) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and _DNS_SUBDOMAIN.fullmatch(prefix) is None:
        return False
    if _LABEL_NAME.fullmatch(name) is None:
        return False
    if ordered and not _is_int64(values[0]):
        return False
    return all(_LABEL_NAME.fullmatch(value) is not None for value in values)


def _is_int64(text: str) -> bool:
    """strconv.ParseInt(text, 10, 64) succeeds."""
    if _INTEGER.fullmatch(text) is None:
        return False
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > _INT64_DIGITS:
        return False
    return int(digits or "0") < 2**63 + text.startswith("-")
