"""Owns how the call that is asked about is written: a verb and a path, or a verb and TYPE/NAME.

Must not decide: it makes of both what a client would send, and parses that as the sidecar does.
"""

import json
from typing import NamedTuple
from urllib.parse import quote

from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.target import parse_target
from sidecar.policy.verdict import Denial
from webhook.cli.policy.kinds import Kind, KindError, Kinds

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_VERB_METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
VERBS = tuple(_VERB_METHODS)
# Those that TYPE/NAME is easily taken for: RBAC writes them so.
_SUBRESOURCES = frozenset(
    {"attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy",
     "resize", "scale", "status", "token"}
)  # fmt: skip


class QuestionError(ValueError):
    """What was asked makes no request; the text says why."""


class Question(NamedTuple):
    """A request as a client would send it, and what was assumed to make it."""

    method: str
    target: str
    info: RequestInfo
    body: bytes
    assumed: tuple[str, ...] = ()


class Place(NamedTuple):
    """Where TYPE/NAME is looked for: `namespace` "" is none given, `usual` is the pod's own."""

    namespace: str
    usual: str
    everywhere: bool = False
    subresource: str = ""


def read_question(verb: str, target: str, place: Place, kinds: Kinds) -> Question | Denial:
    """The request; a Denial where the sidecar itself would refuse it before deciding."""
    method = _VERB_METHODS.get(verb, verb)
    if method not in METHODS:
        raise QuestionError(
            f"{verb!r} is no verb: give one of {', '.join(VERBS)}, or an HTTP method like GET"
        )
    if target.startswith("/"):
        if place.namespace or place.everywhere or place.subresource:
            raise QuestionError("a path says all by itself: leave out -n, -A and --subresource")
        return _ask(verb, method, target)
    if "://" in target:
        raise QuestionError(f"{target!r} names a server: give the path alone, as in /api/v1/pods")
    short = _read_short(target, place, kinds)
    path = _write_path(verb, method, short)
    name = short.name if method == "POST" and not short.subresource else ""
    asked = _ask(verb, method, path, _write_body(name))
    if isinstance(asked, Denial):
        return asked
    return asked._replace(assumed=(*short.assumed, *asked.assumed))


class _Short(NamedTuple):
    kind: Kind
    name: str
    namespace: str
    subresource: str
    assumed: tuple[str, ...]


def _read_short(target: str, place: Place, kinds: Kinds) -> _Short:
    word, _, name = target.partition("/")
    try:
        kind = kinds.read(word)
    except KindError as error:
        raise QuestionError(str(error)) from None
    assumed: tuple[str, ...] = ()
    if name in _SUBRESOURCES and not place.subresource:
        assumed = (
            f"{target!r} is read as an object called {name!r}: --subresource {name} would name"
            " the subresource",
        )
    if place.everywhere or kind.namespaced is False:
        return _Short(kind, name, "", place.subresource, assumed)
    namespace = place.namespace or place.usual
    if not place.namespace:
        own = f"namespace {namespace!r}, the pod's own: -n names another, -A all"
        assumed = (*assumed, own)
    return _Short(kind, name, namespace, place.subresource, assumed)


def _write_path(verb: str, method: str, short: _Short) -> str:
    """The path that a client would use."""
    kind, name = short.kind, short.name
    if short.subresource and not name:
        raise QuestionError(f"--subresource needs a name: {kind.title}/NAME")
    if verb in ("list", "watch", "deletecollection") and name:
        raise QuestionError(f"{verb} is about many objects: leave out /{name}, or ask for get")
    if method in ("PUT", "PATCH") and not name:
        raise QuestionError(f"{verb} is about one object: give {kind.title}/NAME")
    if verb == "delete" and not name:
        raise QuestionError(
            f"delete is about one object: give {kind.title}/NAME, or ask for deletecollection"
        )
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    within = f"/namespaces/{_quoted(short.namespace)}" if short.namespace else ""
    path = f"{root}{within}/{_quoted(kind.resource)}"
    if name and (method != "POST" or short.subresource):
        path += f"/{_quoted(name)}"
    if short.subresource:
        path += f"/{_quoted(short.subresource)}"
    return path


def _write_body(name: str) -> bytes:
    """The least that a body says: `{}`, or the name of what is made."""
    return json.dumps({"metadata": {"name": name}} if name else {}).encode()


def _ask(verb: str, method: str, target: str, body: bytes = b"{}") -> Question | Denial:
    """Parse it as the sidecar does, and see that it asks for what was meant."""
    info = _parse(method, target)
    if isinstance(info, Denial):
        return info
    if verb == "watch" and info.verb == "list":
        target += ("&" if "?" in target else "?") + "watch=true"
        info = _parse(method, target)
        if isinstance(info, Denial):
            return info
    assumed: tuple[str, ...] = ()
    if verb in _VERB_METHODS and info.is_resource and info.verb != verb:
        if (verb, info.verb) != ("get", "list"):
            raise QuestionError(
                f"{method} {target} is a {info.verb}, not a {verb}: correct one of the two"
            )
        assumed = ("get of what names no object is a list",)
    return Question(method, target, info, body, assumed)


def _parse(method: str, text: str) -> RequestInfo | Denial:
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise QuestionError(
            f"{text!r} is no request path: percent-encode what is not ASCII"
        ) from None
    target = parse_target(raw)
    return target if isinstance(target, Denial) else request_info(method, target)


def _quoted(text: str) -> str:
    return quote(text, safe="!$&'()*+,=:@~")
