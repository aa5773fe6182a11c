"""Owns the chart's files about its values: values.yaml, their schema, and the README's table.

Must not know a value: values.py lists them.
"""

import json
from collections.abc import Iterator
from typing import Final

import yaml

from webhook.install.values import VALUES, RawSchema, Value

_WIDTH: Final = 90


def render_values() -> str:
    """values.yaml."""
    lines = ["# Every value, with what it is by default. values.schema.json refuses all others."]
    above: list[str] = []
    for value in VALUES:
        *parents, name = value.path.split(".")
        if parents != above:
            lines += ["", *(f"{parent}:" for parent in parents)]
            above = parents
        indent = "  " * len(parents)
        lines += [f"{indent}# {line}" for line in _wrap(f"{value.text}.")]
        lines += [f"{indent}{line}" for line in _write_default(name, value)]
    return "\n".join(lines) + "\n"


def _write_default(name: str, value: Value) -> list[str]:
    if value.required:
        return [f"# {name}: registry.example.com/mca-{name}@sha256:…"]
    default = value.default()
    if isinstance(default, dict) and default:
        shown = yaml.safe_dump({name: default}, sort_keys=False)
        return shown.rstrip("\n").split("\n")
    return [f"{name}: {json.dumps(default)}"]


def render_schema() -> str:
    """values.schema.json."""
    root: RawSchema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the chart mca",
        **_object(),
    }
    for value in VALUES:
        *parents, name = value.path.split(".")
        node = root
        for parent in parents:
            if parent not in node["properties"]:
                node["properties"][parent] = _object()
                node["required"].append(parent)
            node = node["properties"][parent]
        default = {} if value.required else {"default": value.default()}
        node["properties"][name] = {"description": value.text, **default, **value.schema}
        node["required"].append(name)
    some = {"minItems": 1}
    root["properties"]["admins"]["anyOf"] = [
        {"properties": {"users": some}},
        {"properties": {"groups": some}},
    ]
    # Helm's own, given to charts within others.
    root["properties"]["global"] = {"type": "object"}
    return json.dumps(root, indent=2, ensure_ascii=False) + "\n"


def render_table() -> str:
    """For the README."""
    rows = ["| Value | Default | |", "|---|---|---|"]
    for value in VALUES:
        default = "-" if value.required else f"`{json.dumps(value.default())}`"
        rows.append(f"| `{value.path}` | {default} | {value.text} |")
    return "\n".join(rows) + "\n"


def _object() -> RawSchema:
    return {"type": "object", "additionalProperties": False, "properties": {}, "required": []}


def _wrap(text: str) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and len(line) + len(word) > _WIDTH:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
