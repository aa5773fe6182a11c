"""Reads one of our Dockerfiles: what its image is made of, for whoever builds it without Docker.

Owns the few instructions that ours are written in, and refuses all others: a Dockerfile that says
more than is read here would be another image than the one that the node runs.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

_STAGES = ["${BASE} AS python", "python AS build", "python"]
_BASE = re.compile(r"BASE=(\S+)")
_INSTALL = "apt-get update && apt-get install --yes --no-install-recommends "
# Debian's packages compile the library already, and tests/node/images.py removes more than this.
_AFTER_INSTALL = (
    ' && python3 -m compileall -q "$('
    "python3 -c 'import os; print(os.path.dirname(os.__file__))')\""
    " && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*"
)
_REQUIREMENT = re.compile(r"--requirement /src/([\w.-]+\.lock)")
_REMOVAL = re.compile(r"rm -r /opt/mca/(\w[\w/]*)")
_OWN = re.compile(r"(sidecar|webhook) /opt/mca/\1")
_PIP = f"{_INSTALL}python3-pip"
# What the build stage runs; the same is done by tests/node/product.py.
_BUILD_RUNS = ("python3 -m pip install ", "python3 -m compileall ", "printf ")
_FINAL_COPIES = ("--from=build /opt/mca /opt/mca", "--from=build /usr/local/bin/mca")


class Recipe(NamedTuple):
    """One image of ours."""

    base: str
    debian: tuple[str, ...]  # packages that go into the base
    lock: str  # below requirements/
    removed: tuple[str, ...]  # of what it installs, below /opt/mca
    packages: tuple[str, ...]  # of this tree
    config: dict[str, Any]  # as OCI writes it


def read_dockerfile(path: Path) -> Recipe:
    """What the Dockerfile says."""
    before: list[tuple[str, str]] = []
    names: list[str] = []
    stages: list[list[tuple[str, str]]] = []
    for instruction, rest in _list_instructions(path.read_text()):
        if instruction == "FROM":
            names.append(rest)
            stages.append([])
        else:
            (stages[-1] if stages else before).append((instruction, rest))
    if names != _STAGES:
        raise ValueError(f"{path.name}: its stages are {names}, and {_STAGES} are expected")
    base, build, final = stages
    return Recipe(
        _read_arguments(path.name, before),
        _read_base(path.name, base),
        *_read_build(path.name, build),
        _read_final(path.name, final),
    )


def _list_instructions(text: str) -> Iterator[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, rest = line.partition(" ")
        yield instruction, " ".join(rest.split())


def _read_arguments(name: str, before: list[tuple[str, str]]) -> str:
    match before:
        case [("ARG", rest)] if found := _BASE.fullmatch(rest):
            return found[1]
    raise ValueError(f"{name}: before the first stage only ARG BASE=… is expected: {before}")


def _read_base(name: str, stage: list[tuple[str, str]]) -> tuple[str, ...]:
    match stage:
        case [("RUN", run)] if run.startswith(_INSTALL) and run.endswith(_AFTER_INSTALL):
            packages = run.removeprefix(_INSTALL).removesuffix(_AFTER_INSTALL).split()
            if all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", package) for package in packages):
                return tuple(packages)
    raise ValueError(f"{name}: the stage `python` is not understood: {stage}")


def _read_build(
    name: str, stage: list[tuple[str, str]]
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    runs = [rest for instruction, rest in stage if instruction == "RUN"]
    copies = [rest for instruction, rest in stage if instruction == "COPY"]
    locks = [found[1] for run in runs if (found := _REQUIREMENT.search(run))]
    removed = tuple(found[1] for run in runs if (found := _REMOVAL.fullmatch(run)))
    packages = tuple(found[1] for copy in copies if (found := _OWN.fullmatch(copy)))
    odd = [
        run
        for run in runs
        if not (run == _PIP or run.startswith(_BUILD_RUNS) or _REMOVAL.fullmatch(run))
    ]
    odd += [instruction for instruction, _ in stage if instruction not in ("RUN", "COPY")]
    odd += [
        copy
        for copy in copies
        if not _OWN.fullmatch(copy) and copy not in {f"requirements/{lock} /src/" for lock in locks}
    ]
    if odd or len(locks) != 1 or not packages:
        raise ValueError(f"{name}: the build stage is not understood: {odd or locks}")
    return locks[0], removed, packages


def _read_final(name: str, stage: list[tuple[str, str]]) -> dict[str, Any]:
    config: dict[str, Any] = {"Labels": {}, "Env": []}
    arguments: dict[str, str] = {}
    for instruction, rest in stage:
        match instruction:
            case "ARG":
                key, _, value = rest.partition("=")
                arguments[key] = value
            case "LABEL":
                filled = Template(rest).substitute(arguments)
                config["Labels"] |= dict(word.split("=", 1) for word in shlex.split(filled))
            case "ENV":
                config["Env"] += shlex.split(rest)
            case "USER":
                config["User"] = rest
            case "ENTRYPOINT":
                config["Entrypoint"] = json.loads(rest)
            case "COPY" if rest.startswith(_FINAL_COPIES):
                pass
            case _:
                raise ValueError(f"{name}: {instruction} {rest} is not understood")
    return config
