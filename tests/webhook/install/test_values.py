"""The chart's values are the settings: none is missing, each is described, defaults agree."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from webhook.install.settings import InstallSettings
from webhook.install.value_files import render_schema, render_table, render_values
from webhook.install.values import VALUES

README = (Path(__file__).resolve().parents[3] / "README.md").read_text()
SCHEMA = json.loads(render_schema())
SHOWN = yaml.safe_load(render_values())


def look_up(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree[name]
    return tree


def test_every_setting_is_a_value() -> None:
    """But for the namespace, which is the release's, and Helm's to make."""
    settings = {field.name for field in fields(InstallSettings)}
    settings -= {"namespace", "make_namespace"}
    assert {value.field.partition(".")[0] for value in VALUES} == settings


def test_values_are_shown_with_their_defaults_and_their_meaning() -> None:
    text = " ".join(render_values().replace("#", " ").split())
    for value in VALUES:
        assert " ".join(value.text.split()) in text
        if not value.required:
            assert look_up(SHOWN, value.path) == value.default()


def test_the_schema_knows_each_value_and_no_other() -> None:
    def list_paths(node: dict[str, Any], path: str = "") -> set[str]:
        found = set()
        assert node["additionalProperties"] is False
        for name, inner in node["properties"].items():
            if inner.get("properties") and "description" not in inner:
                found |= list_paths(inner, f"{path}{name}.")
            else:
                found.add(f"{path}{name}")
        return found

    assert list_paths(SCHEMA) == {value.path for value in VALUES} | {"global"}


def test_the_readme_s_table_is_made_of_them() -> None:
    shown = re.search(r"<!-- values: .*? -->\n(.*)<!-- /values -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == render_table()
