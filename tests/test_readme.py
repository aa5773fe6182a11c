"""The README is held against the source where a list could grow old; its commands do as shown."""

import re
import shlex
from pathlib import Path

import pytest

from sidecar.config import render_settings_table
from sidecar.policy.snapshot import Snapshot, parse_snapshot
from webhook.cli import main
from webhook.cli.policy.findings import find_oddities

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLE = ROOT / "examples" / "snapshot.json"
# What rules begin with.
STAGES = (
    "body", "default", "guard", "http", "identity", "internal", "limit", "overload", "policy",
    "request", "route", "snapshot", "target", "tenant", "upstream",
)  # fmt: skip
# A command on the examples, and the lines below it up to the next command or the next paragraph.
COMMAND = re.compile(
    r"^    \$ mca (?P<words>(?:explain|policy) .*examples/.*)\n"
    r"(?P<shown>(?:    (?!\$).*\n|\n(?=    (?!\$)))*)",
    re.MULTILINE,
)


def quoted_in_source(pattern: str) -> set[str]:
    sources = (path.read_text() for path in (ROOT / "sidecar").rglob("*.py"))
    return {name for text in sources for name in re.findall(rf'"({pattern})"', text)}


def test_the_settings_are_those_of_the_sidecar() -> None:
    table = re.search(r"<!-- settings: .*? -->\n(.*)<!-- /settings -->", README, re.DOTALL)
    assert table is not None
    assert table[1] == render_settings_table()


def test_every_metric_of_the_sidecar_is_listed_and_no_other() -> None:
    told = set(re.findall(r"`(mca_(?!controller_)[a-z_]+)`", README))
    assert told == quoted_in_source("mca_[a-z_]+")


def test_every_rule_is_listed_and_no_other() -> None:
    rule = f"(?:{'|'.join(STAGES)})/[a-z-]+"
    assert set(re.findall(f"`({rule})`", README)) == quoted_in_source(rule)


def test_as_many_objects_are_installed_as_it_shows() -> None:
    installed = (ROOT / "manifests" / "install.yaml").read_text()
    count = len(re.findall(r"^kind:", installed, re.MULTILINE))
    assert re.findall(r"^    trying (\d+) objects on ", README, re.MULTILINE) == [str(count)]


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_its_parts_are_linked_by_their_names() -> None:
    titles = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
              for title in re.findall(r"^#+ (.*)$", README, re.MULTILINE)}  # fmt: skip
    links = re.findall(r"\]\(#([^)]+)\)", README)
    assert links
    assert [link for link in links if link not in titles] == []


def test_the_snapshot_that_it_explains_is_the_example_and_in_order() -> None:
    shown = re.search(r"<!-- snapshot: .*? -->\n(.*?)<!-- /snapshot -->", README, re.DOTALL)
    assert shown is not None
    lines = (line.removeprefix("    ") for line in shown[1].splitlines())
    plain = "\n".join(re.sub(r"\s+// .*$", "", line) for line in lines)
    assert plain == EXAMPLE.read_text().rstrip("\n")
    snapshot = parse_snapshot(EXAMPLE.read_bytes())
    assert isinstance(snapshot, Snapshot), snapshot
    assert find_oddities(snapshot) == ()


def test_its_commands_print_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    commands = list(COMMAND.finditer(README))
    assert {found["words"].split()[0] for found in commands} == {"explain", "policy"}
    for found in commands:
        main(shlex.split(found["words"]))
        shown = "\n".join(line.removeprefix("    ") for line in found["shown"].splitlines())
        assert capsys.readouterr().out.strip() == shown.strip()
