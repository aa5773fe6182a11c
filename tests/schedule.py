"""What of a run by several processes (`make test`) stays together, and what is handed out first.

Owns the units, their order, and who waits for servers. Must not know what any test shows. A folder
whose conftest.py shares servers among its files (`scope="package"`) is one unit: handed out file by
file, between files of other folders, its servers were started anew for nearly each of them. All
that run pods on the one simulated node are another: two processes would wait for each other there.
Every other file is a unit of its own.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
# Its ports are those of the Deployments: there is one of it at a time on a machine.
NODE = "tests/webhook/cli/install/node.py"
RUNS_PODS = ("from tests.webhook.cli.install.cluster", "from tests.webhook.cli.install.node")
# What starts control planes.
STARTERS = frozenset({"tests.controlplane.control_plane", "tests.webhook.cli.install.cluster"})


class Schedule(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out units in the order in which they were collected."""

    def __init__(self, config: Any, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return find_unit(nodeid.partition("::")[0])


@cache
def find_unit(path: str, root: Path = ROOT) -> str:
    """The folder or the file that this file of tests is run with."""
    file = root / path
    if file.is_file() and any(line in file.read_text() for line in RUNS_PODS):
        return NODE
    folder = Path(path).parent
    while folder.name:
        conftest = root / folder / "conftest.py"
        if conftest.is_file() and 'scope="package"' in conftest.read_text():
            return str(folder)
        folder = folder.parent
    return path


def order_units(units: Sequence[str], waiting: Iterable[str]) -> list[str]:
    """Of the unit of each test: first what waits for servers, folders before files, then by number
    of tests.

    So that what is left for the end is short, and no process idles there.
    """
    slow = frozenset(waiting)
    counted = Counter(units)

    def rank(unit: str) -> tuple[bool, bool, bool, int, str]:
        is_file = unit.endswith(".py")
        return unit != NODE, unit not in slow, is_file, -counted[unit], unit

    return sorted(counted, key=rank)


def starts_servers(function: Callable[..., object]) -> bool:
    """Whether its own lines name what starts control planes."""
    function = inspect.unwrap(function)
    named = (function.__globals__.get(name) for name in list_names(function.__code__))
    return any(getattr(found, "__module__", None) in STARTERS for found in named)


def list_names(code: CodeType) -> Iterator[str]:
    """What it names, and what the functions within it name."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from list_names(inner)
