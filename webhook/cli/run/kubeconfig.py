"""Owns which kubeconfig files are read, and how several become one, as kubectl does it.

Must not judge what a cluster or a user says, but for the form of the lists they stand in.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

# The C loader reads a kubeconfig of a hundred clusters in a tenth of the time.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

RawEntry = Mapping[str, Any]


class KubeconfigError(Exception):
    """No usable kubeconfig; the text says which file or field and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A named cluster, user or context, and the folder that its relative paths start from."""

    raw: RawEntry
    folder: str


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """All files as one: of two entries with one name the first file's counts, whole."""

    current_context: str
    contexts: Mapping[str, Entry]
    clusters: Mapping[str, Entry]
    users: Mapping[str, Entry]


def find_files(env: Mapping[str, str], explicit: str | None) -> tuple[str, ...]:
    """The files in question, the most important first; those of KUBECONFIG may be missing."""
    if explicit is not None:
        return (explicit,)
    listed = env.get("KUBECONFIG", "")
    if listed:
        return tuple(dict.fromkeys(path for path in listed.split(os.pathsep) if path))
    return (os.path.join(os.path.expanduser("~"), ".kube", "config"),)


def load_kubeconfig(env: Mapping[str, str], explicit: str | None) -> Kubeconfig:
    """Read and merge; a file that is missing is passed over unless it was named explicitly."""
    files = find_files(env, explicit)
    read = []
    for path in files:
        try:
            with open(path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            if explicit is None:
                continue
            raise KubeconfigError(f"--kubeconfig: {path}: there is no such file") from None
        except OSError as error:
            raise KubeconfigError(f"{path}: {error.strerror}") from None
        read.append(parse_file(path, content))
    if not read:
        raise KubeconfigError(
            f"no kubeconfig: looked for {', '.join(files)}; name one by --kubeconfig or KUBECONFIG"
        )
    return merge(read)


def parse_file(path: str, content: bytes) -> Kubeconfig:
    """One file."""
    try:
        raw = yaml.load(content, _Loader)  # noqa: S506 - it is the safe loader, written in C
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        # The error's own text quotes the line, and a line may hold a secret.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise KubeconfigError(f"{path}{where}: is not YAML") from None
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise KubeconfigError(f"{path}: is not a kubeconfig: it must be a mapping")
    kind = raw.get("kind") or "Config"
    version = raw.get("apiVersion") or "v1"
    if kind != "Config" or version != "v1":
        raise KubeconfigError(f"{path}: is not a kubeconfig: kind must be Config, apiVersion v1")
    current = raw.get("current-context") or ""
    if not isinstance(current, str):
        raise KubeconfigError(f"{path}: current-context: must be a string")
    folder = os.path.dirname(os.path.abspath(path))
    contexts, clusters, users = (
        _parse_list(path, folder, raw.get(plural), plural, singular)
        for plural, singular in (
            ("contexts", "context"),
            ("clusters", "cluster"),
            ("users", "user"),
        )
    )
    return Kubeconfig(current, contexts, clusters, users)


def merge(files: Iterable[Kubeconfig]) -> Kubeconfig:
    """The first file to name something wins."""
    current = ""
    contexts: dict[str, Entry] = {}
    clusters: dict[str, Entry] = {}
    users: dict[str, Entry] = {}
    for file in files:
        current = current or file.current_context
        contexts = {**file.contexts, **contexts}
        clusters = {**file.clusters, **clusters}
        users = {**file.users, **users}
    return Kubeconfig(current, contexts, clusters, users)


def _parse_list(
    path: str, folder: str, raw: object, plural: str, singular: str
) -> dict[str, Entry]:
    if raw is None:
        return {}
    if not isinstance(raw, list):
        raise KubeconfigError(f"{path}: {plural}: must be a list")
    found: dict[str, Entry] = {}
    for index, item in enumerate(raw):
        where = f"{path}: {plural}[{index}]"
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise KubeconfigError(f"{where}: must have a name")
        value = item.get(singular)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise KubeconfigError(f"{where}.{singular}: must be a mapping")
        if item["name"] in found:
            raise KubeconfigError(f"{where}: the name {item['name']!r} stands twice")
        found[item["name"]] = Entry(value, folder)
    return found
