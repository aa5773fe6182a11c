"""Owns self-reviews: what their bodies ask, and the answer "no" as the API server would shape it.

It must not know what is allowed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.bodies import Format, judge_format
from sidecar.policy.documents import fold, is_bounded, members, parse_document, text_of
from sidecar.policy.protobuf import open_envelope, values_at
from sidecar.policy.requestinfo import UPGRADES, RequestInfo
from sidecar.policy.verdict import Answer, Denial, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidecar.policy.verdict import Body

# A review is a few hundred bytes; this one could hold two thousand requirements.
REVIEW_BYTES: Final = 64 * 1024

_RULE: Final = "body/review"
_MAX_PARTS: Final = 5_000


class _Field(NamedTuple):
    """A field of authorization.k8s.io/v1: text, or a message with fields of its own."""

    number: int
    inner: Mapping[str, _Field] | None = None
    repeated: bool = False


# k8s.io/api/authorization/v1/generated.proto, and the requirements of k8s.io/apimachinery.
_REQUIREMENT: Final = {"key": _Field(1), "operator": _Field(2), "values": _Field(3, repeated=True)}
_SELECTOR: Final = {
    "rawSelector": _Field(1),
    "requirements": _Field(2, _REQUIREMENT, repeated=True),
}
_RESOURCE: Final = {
    "namespace": _Field(1),
    "verb": _Field(2),
    "group": _Field(3),
    "version": _Field(4),
    "resource": _Field(5),
    "subresource": _Field(6),
    "name": _Field(7),
    "fieldSelector": _Field(8, _SELECTOR),
    "labelSelector": _Field(9, _SELECTOR),
}
_NON_RESOURCE: Final = {"path": _Field(1), "verb": _Field(2)}
_ACCESS: Final = {
    "spec": _Field(
        2,
        {
            "resourceAttributes": _Field(1, _RESOURCE),
            "nonResourceAttributes": _Field(2, _NON_RESOURCE),
        },
    )
}
_RULES: Final = {"spec": _Field(2, {"namespace": _Field(1)})}


class Access(NamedTuple):
    """What a SelfSubjectAccessReview asks for; `spec` is its own, to be echoed.

    With a `path` it asks for a path that is no resource.
    """

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str
    path: str
    spec: Mapping[str, object]

    @property
    def asks_all(self) -> bool:
        """Whether it asks for many things at once, of which some may be allowed and some not."""
        return "*" in (self.verb, self.group, self.resource, self.subresource) or "*" in self.path

    @property
    def info(self) -> RequestInfo:
        """The request that is asked about, as its own call would be understood."""
        if self.path:
            return RequestInfo(False, self.path, self.verb)
        # In a call, the namespace that is asked for is the object's own name too.
        itself = self.group == "" and self.resource == "namespaces"
        return RequestInfo(
            True,
            "",
            self.verb,
            "apis" if self.group else "api",
            self.group,
            self.version,
            self.name if itself else self.namespace,
            self.resource,
            self.subresource,
            self.name,
            is_upgrade=self.subresource in UPGRADES and self.resource == "pods" and not self.group,
        )


_MALFORMED: Final = Denial(
    Reason.BAD_REQUEST,
    _RULE,
    "the review cannot be read: send one of authorization.k8s.io/v1 as JSON or protobuf, with each "
    "key once, and either resourceAttributes or nonResourceAttributes",
)
_UNREADABLE: Final = Denial(
    Reason.UNSUPPORTED_MEDIA_TYPE,
    _RULE,
    "the review is YAML, which is not read here: send it as JSON",
)


def read_access(body: Body) -> Access | Denial:
    """What a SelfSubjectAccessReview asks for."""
    review = _read(body, _ACCESS)
    if isinstance(review, Denial):
        return review
    spec = _message(review, "spec")
    if ("resourceAttributes" in spec) == ("nonResourceAttributes" in spec):
        return _MALFORMED
    if "nonResourceAttributes" in spec:
        asked = _message(spec, "nonResourceAttributes")
        path = str(asked.get("path", ""))
        # The server takes an empty path for what it is: no path at all.
        if not path:
            return _MALFORMED
        return Access(str(asked.get("verb", "")), "", "", "", "", "", "", path, spec)
    return _resource_access(_message(spec, "resourceAttributes"), spec)


def _resource_access(asked: Mapping[str, object], spec: Mapping[str, object]) -> Access | Denial:
    verb, group, version, resource, subresource, namespace, name = (
        str(asked.get(key, ""))
        for key in ("verb", "group", "version", "resource", "subresource", "namespace", "name")
    )
    # The server's authorizers join the two with a slash, wherever it came from.
    resource, slash, rest = resource.partition("/")
    if slash and subresource:
        return _MALFORMED
    return Access(verb, group, version, resource, subresource or rest, namespace, name, "", spec)


def read_rules_namespace(body: Body) -> str | Denial:
    """The namespace that a SelfSubjectRulesReview asks about."""
    review = _read(body, _RULES)
    if isinstance(review, Denial):
        return review
    return str(_message(review, "spec").get("namespace", ""))


def refuse_access(access: Access, rule: str, message: str) -> Answer:
    """The answer to a review of what is not allowed."""
    review = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": access.spec,
        "status": {"allowed": False, "denied": True, "reason": f"{message} ({rule})"},
    }
    return Answer(rule, 201, json.dumps(review, separators=(",", ":")).encode("ascii"))


def _read(body: Body, fields: Mapping[str, _Field]) -> Mapping[str, object] | Denial:
    form = judge_format("create", body, REVIEW_BYTES)
    if isinstance(form, Denial):
        return form
    try:
        if form is Format.PROTOBUF:
            (message,) = open_envelope(body.content)
            return _from_protobuf(message, fields)
        text = body.content.decode("utf-8")
        if not is_bounded(text, _MAX_PARTS):
            return _MALFORMED
        try:
            document = parse_document(text)
        except ValueError:
            return _UNREADABLE if form is Format.YAML else _MALFORMED
        return _from_json(document, fields)
    except ValueError:
        return _MALFORMED


def _message(message: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = message.get(key)
    return found if isinstance(found, dict) else {}


def _from_json(value: object, fields: Mapping[str, _Field]) -> dict[str, object]:
    """The known members of an object that are not empty."""
    found = members(value, fold(*fields))
    read: dict[str, object] = {}
    for key, field in fields.items():
        member = found.get(key)
        if field.repeated:
            if member is not None and type(member) is not list:
                message = f"{key} is not a list"
                raise ValueError(message)
            items = [_item(item, field) for item in member or ()]
            if items:
                read[key] = items
        elif member is not None:
            _keep(read, key, _item(member, field))
    return read


def _item(value: object, field: _Field) -> object:
    return _printable(text_of(value)) if field.inner is None else _from_json(value, field.inner)


def _from_protobuf(message: bytes, fields: Mapping[str, _Field]) -> dict[str, object]:
    read: dict[str, object] = {}
    for key, field in fields.items():
        values = values_at([message], (field.number,))
        items = [
            _printable(value.decode("utf-8"))
            if field.inner is None
            else _from_protobuf(value, field.inner)
            for value in values
        ]
        if field.repeated:
            if items:
                read[key] = items
        elif len(items) > 1:
            # The server would join them, or take the last.
            error = f"{key} is given twice"
            raise ValueError(error)
        elif items:
            _keep(read, key, items[0])
    return read


def _keep(read: dict[str, object], key: str, value: object) -> None:
    """Empty text is no text; an empty message is one."""
    if value != "":
        read[key] = value


def _printable(text: str) -> str:
    if not text.isprintable():
        message = "no verb, path or name is like this"
        raise ValueError(message)
    return text
