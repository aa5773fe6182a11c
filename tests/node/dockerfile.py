"""Reads one of our Dockerfiles: what its image is made of, for whoever builds it without Docker.

Owns the few instructions that ours are written in, and refuses all others: a Dockerfile that says
more than is read here would be another image than the one that the node runs.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_REQUIREMENT = re.compile(r"--requirement /src/([\w.-]+\.lock)")
_REMOVAL = re.compile(r"rm -r /opt/mca/(\w[\w/]*)")
_OWN = re.compile(r"(sidecar|webhook) /opt/mca/\1")
# What the build stage runs; the same is done by tests/node/product.py.
_BUILD_RUNS = ("pip install ", "python -m compileall ", "printf ")
_FINAL_COPIES = ("--from=build /opt/mca /opt/mca", "--from=build /usr/local/bin/mca")


class Recipe(NamedTuple):
    """One image of ours."""

    lock: str  # below requirements/
    removed: tuple[str, ...]  # of what it installs, below /opt/mca
    packages: tuple[str, ...]
    config: dict[str, Any]  # as OCI writes it


def read_dockerfile(path: Path) -> Recipe:
    """What the Dockerfile says."""
    stages: list[list[tuple[str, str]]] = []
    for instruction, rest in _list_instructions(path.read_text()):
        if instruction == "FROM":
            stages.append([])
        elif not stages:
            raise ValueError(f"{path.name}: {instruction} stands before FROM")
        else:
            stages[-1].append((instruction, rest))
    try:
        build, final = stages
    except ValueError:
        raise ValueError(f"{path.name}: {len(stages)} stages, and two are expected") from None
    return Recipe(*_read_build(path.name, build), _read_final(path.name, final))


def _list_instructions(text: str) -> Iterator[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, rest = line.partition(" ")
        yield instruction, " ".join(rest.split())


def _read_build(
    name: str, stage: list[tuple[str, str]]
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    runs = [rest for instruction, rest in stage if instruction == "RUN"]
    copies = [rest for instruction, rest in stage if instruction == "COPY"]
    locks = [found[1] for run in runs if (found := _REQUIREMENT.search(run))]
    removed = tuple(found[1] for run in runs if (found := _REMOVAL.fullmatch(run)))
    packages = tuple(found[1] for copy in copies if (found := _OWN.fullmatch(copy)))
    odd = [run for run in runs if not (run.startswith(_BUILD_RUNS) or _REMOVAL.fullmatch(run))]
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
    for instruction, rest in stage:
        match instruction:
            case "LABEL":
                config["Labels"] |= dict(word.split("=", 1) for word in shlex.split(rest))
            case "ENV":
                config["Env"] += shlex.split(rest)
            case "USER":
                config["User"] = rest
            case "ENTRYPOINT":
                config["Entrypoint"] = json.loads(rest)
            case "CMD":
                config["Cmd"] = json.loads(rest)
            case "EXPOSE":
                config["ExposedPorts"] = {
                    f"{port.removesuffix('/tcp')}/tcp": {} for port in rest.split()
                }
            case "COPY" if rest.startswith(_FINAL_COPIES):
                pass
            case _:
                raise ValueError(f"{name}: {instruction} {rest} is not understood")
    return config
