"""The examples are what the README shows, and are taken."""

import re
from pathlib import Path
from typing import Any

import yaml

from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.routes import Route, parse_route
from webhook.resources.tenants import Tenant, parse_tenant

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("cluster", "tenant", "route")


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / "examples" / f"{name}.yaml").read_text())


def test_the_readme_shows_them() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = re.search(r"<!-- examples: .*? -->\n(.*?)<!-- /examples -->", readme, re.DOTALL)
    assert shown is not None
    plain = "".join(f"{line.removeprefix('    ')}\n" for line in shown[1].splitlines())
    assert plain == "---\n".join((ROOT / "examples" / f"{name}.yaml").read_text() for name in NAMES)


def test_they_are_taken() -> None:
    assert isinstance(parse_cluster(read("cluster")), Cluster)
    assert isinstance(parse_tenant(read("tenant")), Tenant)
    assert isinstance(parse_route(read("route")), Route)
