"""Owns what others have put into a Tenant's namespace that undoes what the Tenant states. Pure.

RoleBindings that give people one of MCA's profiles are withdrawn, for nobody but a Tenant gives
those; people with other roles are told, and so are NetworkPolicies beside an isolation. Must not
judge what the Tenant has made itself.
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from webhook.controller.tenants.kinds import BINDING, NETWORK, OUR_NAMES, Place, Step
from webhook.controller.tenants.steps import OTHERS_LET_THROUGH, Problem, Remove
from webhook.resources.meta import RawDocument, documents, mapping, read_meta
from webhook.resources.names import LABEL_HOME, POLICY, POLICY_READER
from webhook.resources.profiles import PREFIX

_SHOWN: Final = 3
_LONGEST: Final = 80


class Others(NamedTuple):
    """Of one namespace."""

    strays: tuple[Remove, ...] = ()
    people: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def judge_others(
    namespace: str,
    wished: Collection[Place],
    bindings: Iterable[RawDocument],
    policies: Iterable[RawDocument],
    *,
    at_home: bool,
) -> Others:
    """What is not wished there; `policies` are those of an isolated namespace.

    What is called mca-* is nobody else's. Marks make no difference: anybody can write them. On
    members admins let people in by `mca cluster allow` and by hand, as they like.
    """
    strays: list[Remove] = []
    people: list[str] = []
    problems: list[Problem] = []
    for raw in bindings:
        meta, subjects = read_meta(raw), _list_people(raw, namespace)
        place, role = Place(BINDING, namespace, meta.name), _read_role(raw)
        if place in wished or not subjects or (meta.name, role) == (POLICY, POLICY_READER):
            continue
        if not at_home and LABEL_HOME in meta.labels:
            continue
        if role.startswith(PREFIX) or meta.name.startswith(OUR_NAMES):
            strays.append(Remove(place, meta.uid))
        elif at_home:
            people.append(f"{_clip(place.shown)} ({', '.join(subjects)})")
    for raw in policies:
        meta = read_meta(raw)
        place = Place(NETWORK, namespace, meta.name)
        if place in wished:
            continue
        if meta.name.startswith(OUR_NAMES):
            strays.append(Remove(place, meta.uid))
        else:
            problems.append(_tell_policy(place))
    return Others(tuple(strays), tuple(people), tuple(problems))


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


def _tell_policy(place: Place) -> Problem:
    return Problem(
        Step.NETWORK,
        place.namespace,
        OTHERS_LET_THROUGH,
        f"{_clip(place.shown)} is not MCA's and lets through what it lists: delete it; what is to "
        "pass goes into spec.network.allow",
    )


def _clip(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
