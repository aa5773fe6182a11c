"""Owns what a request body says of its object: its name, namespace, uid, whether it has owners.

Read as the API server would read it, or refused: a key given twice, or in another case, is doubt.
It must not know which of these matter to whom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.policy.bodies import Finding, Forbidden, Format, find_forbidden, judge_format
from sidecar.policy.documents import Pairs, fold, is_bounded, members, parse_document, text_of
from sidecar.policy.protobuf import open_envelope, values_at
from sidecar.policy.verdict import MAX_BODY_BYTES, Denial, Reason

if TYPE_CHECKING:
    from sidecar.policy.verdict import Body

_RULE: Final = "body/metadata"
_OWNERS: Final = "ownerReferences"
# The names that etcd keys and URLs hold are at most this long.
_MAX_NAME: Final = 253

# ObjectMeta is the first field of every object; these are fields of ObjectMeta.
_META: Final = 1
_META_NAME: Final = 1
_META_GENERATE_NAME: Final = 2
_META_NAMESPACE: Final = 3
_META_UID: Final = 5
_META_OWNERS: Final = 13

# What these operations of a JSON patch leave behind was there before.
_HARMLESS_OPERATIONS: Final = frozenset({"remove", "test"})

# Replaced as a whole, the object and its metadata may hold owners too.
_OWNERS_PATHS: Final[tuple[list[str], ...]] = ([], ["metadata"], ["metadata", _OWNERS.casefold()])

_OBJECT_KEYS: Final = fold("metadata")
_META_KEYS: Final = fold("name", "generateName", "namespace", "uid", _OWNERS)
_OPERATION_KEYS: Final = fold("op", "path")
_OWNERS_SPELLED: Final = Forbidden((_OWNERS,), lambda text: text == _OWNERS, ())


class Meta(NamedTuple):
    """What the body says; "" is "not given".

    `name` is None where it cannot be told: in a JSON patch, and in YAML that is not JSON as well.
    `has_owners` is whether the write may leave owners behind.
    """

    name: str | None
    generate_name: str
    namespace: str
    has_owners: bool
    uid: str = ""


NAME_UNREADABLE: Final = Denial(
    Reason.UNSUPPORTED_MEDIA_TYPE,
    _RULE,
    "the object's name decides where it goes, and this body does not tell it: send it as JSON",
)
_MALFORMED: Final = Denial(
    Reason.BAD_REQUEST,
    _RULE,
    "the object's metadata cannot be read from the body: send each key once, in its right case, "
    "with a value of its right type",
)
_OVERSIZED: Final = Denial(
    Reason.REQUEST_ENTITY_TOO_LARGE,
    _RULE,
    "the body holds too many values for its metadata to be read: send fewer",
)
_UNPROVEN: Final = Denial(
    Reason.UNSUPPORTED_MEDIA_TYPE,
    _RULE,
    "whether the object has owners cannot be told from this YAML: send it as JSON",
)


def read_meta(verb: str, body: Body, limit: int = MAX_BODY_BYTES) -> Meta | Denial:
    """The metadata in the body of a create, an update or a patch of an object."""
    form = judge_format(verb, body, limit)
    if isinstance(form, Denial):
        return form
    try:
        if form is Format.PROTOBUF:
            return _read_protobuf(body.content)
        if form is Format.YAML:
            return _read_yaml(body.content)
        text = body.content.decode("utf-8")
        if not is_bounded(text):
            return _OVERSIZED
        document = parse_document(text)
        return _read_patch(document) if form is Format.JSON_PATCH else _read_object(document)
    except ValueError:
        return _MALFORMED


def _read_yaml(content: bytes) -> Meta | Denial:
    text = content.decode("utf-8")
    if is_bounded(text):
        try:
            document = parse_document(text)
        except ValueError:
            pass
        else:
            return _read_object(document)
    if find_forbidden(Format.YAML, content, _OWNERS_SPELLED) is Finding.ABSENT:
        return Meta(None, "", "", has_owners=False)
    return _UNPROVEN


def _read_object(document: object) -> Meta:
    """An object, or a merge patch of one."""
    metadata = members(members(document, _OBJECT_KEYS).get("metadata"), _META_KEYS)
    return _meta(
        text_of(metadata.get("name")),
        text_of(metadata.get("generateName")),
        text_of(metadata.get("namespace")),
        text_of(metadata.get("uid")),
        has_owners=bool(metadata.get(_OWNERS)),
    )


def _meta(name: str, generate_name: str, namespace: str, uid: str, *, has_owners: bool) -> Meta:
    """ValueError for what is no name of anything, and may be read as another."""
    for text in (name, generate_name, namespace, uid):
        if len(text) > _MAX_NAME or not text.isprintable():
            message = "no name is like this"
            raise ValueError(message)
    return Meta(name, generate_name, namespace, has_owners, uid)


def _read_patch(document: object) -> Meta:
    """A JSON patch: its operations may bring owners in from anywhere in the object."""
    if not isinstance(document, list) or isinstance(document, Pairs):
        message = "not a list of operations"
        raise ValueError(message)  # noqa: TRY004 - the input is at fault, not the caller
    return Meta(None, "", "", any(_leaves_owners(operation) for operation in document))


def _leaves_owners(operation: object) -> bool:
    asked = members(operation, _OPERATION_KEYS)
    # The server passes over whatever stands before the first slash.
    _, *path = text_of(asked.get("path")).split("/")
    if text_of(asked.get("op")) in _HARMLESS_OPERATIONS:
        return False
    return [part.casefold() for part in path[:2]] in _OWNERS_PATHS


def _read_protobuf(content: bytes) -> Meta:
    metadata = values_at(open_envelope(content), (_META,))
    return _meta(
        _only(values_at(metadata, (_META_NAME,))),
        _only(values_at(metadata, (_META_GENERATE_NAME,))),
        _only(values_at(metadata, (_META_NAMESPACE,))),
        _only(values_at(metadata, (_META_UID,))),
        has_owners=bool(values_at(metadata, (_META_OWNERS,))),
    )


def _only(values: list[bytes]) -> str:
    """The server takes the last of several: a client that sends them hides something."""
    if len(values) > 1:
        message = "a field repeats"
        raise ValueError(message)
    return values[0].decode("utf-8") if values else ""
