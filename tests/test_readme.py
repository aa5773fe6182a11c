"""The README is held against the source where a list of its could grow old."""

import re
from pathlib import Path

from sidecar.config import render_settings_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def quoted_in_source(pattern: str) -> set[str]:
    sources = (path.read_text() for path in (ROOT / "sidecar").rglob("*.py"))
    return {name for text in sources for name in re.findall(rf'"({pattern})"', text)}


def test_the_settings_are_those_of_the_sidecar() -> None:
    table = re.search(r"<!-- settings: .*? -->\n(.*)<!-- /settings -->", README, re.DOTALL)
    assert table is not None
    assert table[1] == render_settings_table()


def test_every_metric_is_listed_and_no_other() -> None:
    assert set(re.findall(r"`(mca_[a-z_]+)`", README)) == quoted_in_source("mca_[a-z_]+")


def test_every_guard_is_listed_and_no_other() -> None:
    assert set(re.findall(r"`(guard/[a-z-]+)`", README)) == quoted_in_source("guard/[a-z-]+")


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
