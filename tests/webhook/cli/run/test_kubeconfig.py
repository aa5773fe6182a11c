import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.cli.run.kubeconfig import (
    Entry,
    KubeconfigError,
    find_files,
    load_kubeconfig,
    parse_file,
)


def write(path: Path, document: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return str(path)


def named(kind: str, **entries: Any) -> list[dict[str, Any]]:
    return [{"name": name, kind: value} for name, value in entries.items()]


@pytest.mark.parametrize(
    ("variable", "explicit", "files"),
    [
        (None, None, ("/home/p/.kube/config",)),
        ("", None, ("/home/p/.kube/config",)),
        ("/a", None, ("/a",)),
        ("/a::/b:/a", None, ("/a", "/b")),
        ("/a:/b", "/c", ("/c",)),
    ],
)
def test_which_files(
    monkeypatch: pytest.MonkeyPatch,
    variable: str | None,
    explicit: str | None,
    files: tuple[str, ...],
) -> None:
    monkeypatch.setenv("HOME", "/home/p")
    env = {} if variable is None else {"KUBECONFIG": variable}
    assert find_files(env, explicit) == files


def test_the_first_file_wins_whole_entries_and_each_keeps_its_folder(tmp_path: Path) -> None:
    one = write(
        tmp_path / "one" / "config",
        {
            "users": named("user", red={"token": "one"}),
            "clusters": named("cluster", a={"server": "https://a"}),
        },
    )
    two = write(
        tmp_path / "two" / "config",
        {
            "current-context": "second",
            "users": named("user", red={"token": "two", "as": "x"}, green={}),
            "contexts": named("context", second={"user": "green"}),
        },
    )
    three = write(tmp_path / "three", {"current-context": "third", "clusters": None})
    files = os.pathsep.join((one, str(tmp_path / "missing"), two, three))
    found = load_kubeconfig({"KUBECONFIG": files}, None)
    assert found.current_context == "second"
    assert found.users == {
        "red": Entry({"token": "one"}, str(tmp_path / "one")),
        "green": Entry({}, str(tmp_path / "two")),
    }
    assert found.clusters == {"a": Entry({"server": "https://a"}, str(tmp_path / "one"))}
    assert found.contexts == {"second": Entry({"user": "green"}, str(tmp_path / "two"))}


def test_a_file_named_by_a_relative_path_has_an_absolute_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "sub" / "config", {"users": named("user", red={})})
    monkeypatch.chdir(tmp_path)
    found = load_kubeconfig({}, "sub/config")
    assert found.users["red"].folder == str(tmp_path / "sub")


def test_missing_files_matter_only_when_all_are_or_one_was_asked_for(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(KubeconfigError, match=f"no kubeconfig: looked for {missing}; name one"):
        load_kubeconfig({"KUBECONFIG": missing}, None)
    with pytest.raises(KubeconfigError, match=r"--kubeconfig: .*missing: there is no such file"):
        load_kubeconfig({}, missing)
    with pytest.raises(KubeconfigError, match="Is a directory"):
        load_kubeconfig({}, str(tmp_path))
    assert load_kubeconfig({}, os.devnull).contexts == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("users: [", r"c, line [12]: is not YAML"),
        ("\x00", "is not YAML"),
        ("\xff\xff", "is not YAML"),
        ("- a", "it must be a mapping"),
        ("kind: Pod", "kind must be Config"),
        ("apiVersion: v2", "apiVersion v1"),
        ("current-context: [a]", "current-context: must be a string"),
        ("users: {}", "users: must be a list"),
        ("users: [a]", r"users\[0\]: must have a name"),
        ("users: [{name: 1}]", r"users\[0\]: must have a name"),
        ("users: [{name: a}, {name: b, user: [x]}]", r"users\[1\]\.user: must be a mapping"),
        ("users: [{name: a}, {name: a}]", "the name 'a' stands twice"),
        ("users: !!python/object/apply:os.system [exit]", "is not YAML"),
    ],
)
def test_what_is_no_kubeconfig(content: str, problem: str) -> None:
    with pytest.raises(KubeconfigError, match=problem):
        parse_file("/x/c", content.encode("latin-1"))


def test_an_error_quotes_nothing_of_a_file_that_holds_secrets() -> None:
    with pytest.raises(KubeconfigError) as failure:
        parse_file("/x/c", b"users:\n- name: a\n  user: {token: s3cret]\n")
    assert "s3cret" not in str(failure.value)
    assert "/x/c, line 3" in str(failure.value)
