"""Owns what others have put into a Tenant's namespace that undoes what the Tenant states. Pure.

RoleBindings that give people one of MCA's profiles are withdrawn, for nobody but a Tenant gives
those; people with other roles are told, and so are NetworkPolicies beside an isolation. Must not
judge what the Tenant has made itself.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from webhook.controller.tenants.kinds import BINDING, NETWORK, OUR_NAMES, Place, Step
from webhook.controller.tenants.steps import OTHERS_LET_THROUGH, Problem, Remove
from webhook.resources.meta import RawDocument, documents, mapping, read_meta
from webhook.resources.names import CREATED_BY, POLICY
from webhook.resources.profiles import PREFIX

_SHOWN: Final = 3
_LONGEST: Final = 80


class Others(NamedTuple):
    """Of one namespace."""

    strays: tuple[Remove, ...] = ()
    people: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def judge_others(
    uid: str, namespace: str, bindings: Iterable[RawDocument], policies: Iterable[RawDocument]
) -> Others:
    """`uid` is the Tenant's; `policies` are those of an isolated one."""
    strays, people = [], []
    for raw in bindings:
        meta = read_meta(raw)
        subjects = _list_people(raw, namespace)
        if not subjects or meta.name == POLICY or _is_ours(uid, raw):
            continue
        place = Place(BINDING, namespace, meta.name)
        if _read_role(raw).startswith(PREFIX):
            strays.append(Remove(place, meta.uid))
        else:
            people.append(f"{_clip(place.shown)} ({', '.join(subjects)})")
    problems = (_tell_policy(namespace, raw) for raw in policies if not _is_ours(uid, raw))
    return Others(tuple(strays), tuple(people), tuple(problems))


def _is_ours(uid: str, raw: RawDocument) -> bool:
    meta = read_meta(raw)
    return meta.annotations.get(CREATED_BY) == uid and meta.name.startswith(OUR_NAMES)


def _read_role(raw: RawDocument) -> str:
    role = mapping(raw.get("roleRef"))
    return str(role.get("name")) if role.get("kind") == "ClusterRole" else ""


def _list_people(raw: RawDocument, namespace: str) -> list[str]:
    """All but the namespace's own service accounts, which are what it runs."""
    found = [
        f"{subject.get('kind')} {_clip(str(subject.get('name')))}"
        for subject in documents(raw.get("subjects"))
        if subject.get("kind") != "ServiceAccount" or subject.get("namespace") != namespace
    ]
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _tell_policy(namespace: str, raw: RawDocument) -> Problem:
    place = Place(NETWORK, namespace, read_meta(raw).name)
    return Problem(
        Step.NETWORK,
        namespace,
        OTHERS_LET_THROUGH,
        f"{_clip(place.shown)} is not MCA's and lets through what it lists: delete it; what is to "
        "pass goes into spec.network.allow",
    )


def _clip(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
