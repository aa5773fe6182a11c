"""A kubeconfig in a Secret names no file, no program, no proxy; a problem repeats no value."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.webhook.controller.broker.examples import encode
from webhook.controller.access.inline_kubeconfig import Inline, read_kubeconfig

Raw = dict[str, Any]
SECRET = "never-to-be-seen"
GOOD: Raw = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [{"name": "eu", "cluster": {"server": "https://eu", "extensions": [1],
                  "certificate-authority-data": encode("x")}}],
    "users": [{"name": "u", "user": {"token": SECRET, "exec": None, "username": ""}}],
    "contexts": [{"name": "c", "context": {"cluster": "eu", "user": "u", "namespace": "a"}}],
}  # fmt: skip


def read(change: Callable[[Raw], object]) -> Inline | tuple[str, ...]:
    raw = copy.deepcopy(GOOD)
    change(raw)
    return read_kubeconfig(json.dumps(raw).encode())


def test_a_token() -> None:
    found = read(lambda raw: None)
    assert isinstance(found, Inline)
    assert (found.server, found.ca) == ("https://eu", "x")
    assert found.token is not None
    assert found.token.reveal() == SECRET.encode()
    assert (found.certificate, found.key) == ("", None)
    assert SECRET not in repr(found)


def test_a_certificate() -> None:
    user = {"client-certificate-data": encode("cert"), "client-key-data": encode(SECRET)}
    found = read(lambda raw: raw["users"][0].update(user=user))
    assert isinstance(found, Inline)
    assert found.certificate == "cert"
    assert found.key is not None
    assert found.key.reveal() == SECRET.encode()
    assert found.token is None
    assert SECRET not in repr(found)


REFUSED = {
    **dict.fromkeys(
        ("certificate-authority", "insecure-skip-tls-verify", "proxy-url", "tls-server-name",
         "odd"),
        "clusters[0].cluster",
    ),
    **dict.fromkeys(
        ("tokenFile", "client-certificate", "client-key", "exec", "auth-provider", "username",
         "password", "as", "as-uid", "as-groups", "as-user-extra"),
        "users[0].user",
    ),
    "odd-one": "contexts[0].context",
}  # fmt: skip


@pytest.mark.parametrize("field", REFUSED)
@pytest.mark.parametrize("value", [SECRET, True, {"command": SECRET}, [SECRET]])
def test_a_field_is_refused_by_its_name(field: str, value: object) -> None:
    place = REFUSED[field]
    plural, _, singular = place.partition("[0].")
    problems = read(lambda raw: raw[plural][0][singular].update({field: value}))
    assert isinstance(problems, tuple)
    assert [told for told in problems if told.startswith(f"{place}.{field}: ")]
    assert SECRET not in "".join(problems)


CASES: dict[str, tuple[str, Callable[[Raw], object]]] = {
    "no clusters": ("clusters: must be a list of one", lambda raw: raw.pop("clusters")),
    "two users": ("users: must be a list of one", lambda raw: raw["users"].append(raw["users"][0])),
    "no list": ("contexts: must be a list of one", lambda raw: raw.update(contexts={"a": "b"})),
    "no entry": ("clusters[0]: must have a name", lambda raw: raw.update(clusters=["a"])),
    "no user": ("users[0]: must have a name and a user", lambda raw: raw["users"][0].pop("user")),
    "another cluster": ("contexts[0].context.cluster: is not", lambda raw: raw["contexts"][0][
        "context"].update(cluster="us")),
    "another user": ("contexts[0].context.user: is not", lambda raw: raw["users"][0].update(
        name="v")),
    "another context": ("current-context: is not", lambda raw: raw.update({"current-context": 1})),
    "a number": ("server: must be a string", lambda raw: raw["clusters"][0]["cluster"].update(
        server=1)),
    "a list": ("token: must be a string", lambda raw: raw["users"][0]["user"].update(token=[1])),
    "no base64": ("client-key-data: must be base64", lambda raw: raw["users"][0]["user"].update(
        {"client-key-data": SECRET})),
    "no text": ("client-certificate-data: must be base64 of PEM", lambda raw: raw["users"][0][
        "user"].update({"client-certificate-data": encode(b"\xff")})),
    "a secret as a field": ("users[0].user: has a field that is not known", lambda raw: raw[
        "users"][0]["user"].update({f"{SECRET} in the wrong place": "a"})),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_named(case: str) -> None:
    told, change = CASES[case]
    problems = read(change)
    assert isinstance(problems, tuple)
    assert any(problem.startswith(told) for problem in problems), problems
    assert SECRET not in "".join(problems)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "is not YAML"),
        (b"\xff", "is not YAML"),
        (b"!!python/object/apply:os.system [id]", "is not YAML"),
        (b"[" * 5000, "is not YAML"),
        (b"", "is no kubeconfig"),
        (b"text", "is no kubeconfig"),
    ],
)
def test_what_is_none_is_told_without_its_text(content: bytes, told: str) -> None:
    problems = read_kubeconfig(content)
    assert isinstance(problems, tuple)
    assert problems[0].startswith(told)
