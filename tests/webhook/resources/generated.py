"""Objects made of a schema: what the schema alone would take; its rules refuse some of them."""

import re
from typing import Any

from hypothesis import strategies as st

# What patterns and rules look at; each text is one of those that its schema takes.
WORDS = (
    "*", "", "a", "A", "1", "a-b", "a.b", "a:b", "-a", "a b", "pods", "pods/log", "pods/*", "*/log",
    "leases", "leases/status", "events", "events/status", "coordination.k8s.io", "events.k8s.io",
    "home", "eu-1", "mca.io/tier", "a*b", "/", "/a", "/a*", "10.0.0.0/8", "x" * 57, "x" * 63,
    "x" * 64, "x" * 253, "x" * 254, "*" * 8, "*" * 9, "/" + "*" * 8, "/" + "*" * 9, "a" + "*" * 9,
    "https://a", "https://a:65535", "https://a:65536", "https://[::1]", f"https://{'a' * 64}",
)  # fmt: skip


def values(schema: Any) -> st.SearchStrategy[Any]:
    """Anything of this schema, small."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return st.sampled_from([1, "1", "500m", "4Gi"])
    return MAKERS[schema["type"]](schema)


def make_object(schema: Any) -> st.SearchStrategy[Any]:
    if "additionalProperties" in schema:
        keys = st.sampled_from(["mca.io/tier", "cpu", "pods"])
        return st.dictionaries(keys, values(schema["additionalProperties"]), max_size=2)
    required = schema.get("required", ())
    properties = schema["properties"]
    return st.fixed_dictionaries(
        {key: values(properties[key]) for key in required},
        optional={key: values(each) for key, each in properties.items() if key not in required},
    )


def make_list(schema: Any) -> st.SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    return st.lists(values(schema["items"]), min_size=least, max_size=max(least, 2))


def make_text(schema: Any) -> st.SearchStrategy[Any]:
    matches = re.compile(schema.get("pattern", ""))
    least, most = schema.get("minLength", 0), schema["maxLength"]
    fitting = [word for word in WORDS if least <= len(word) <= most and matches.search(word)]
    return st.sampled_from(fitting)


def make_whole(schema: Any) -> st.SearchStrategy[Any]:
    return st.integers(schema["minimum"], schema["maximum"])


def make_number(schema: Any) -> st.SearchStrategy[Any]:
    return st.integers(0, 3) | st.sampled_from([0.0005, 0.001, 0.5])


def make_flag(_: Any) -> st.SearchStrategy[Any]:
    return st.booleans()


MAKERS = {
    "object": make_object,
    "array": make_list,
    "string": make_text,
    "integer": make_whole,
    "number": make_number,
    "boolean": make_flag,
}
