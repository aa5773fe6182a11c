"""Owns which writes bring a Tenant's namespaces to what it states, in a safe order. Pure.

Rights are withdrawn before anything else and granted after all that bounds them, namespace by
namespace. Only what carries the Tenant's own mark is deleted. Must not write: applying does. Done
twice, or ended anywhere and planned anew, it comes to the same.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from webhook.controller.tenants.contents import read_role, read_subjects, render_content
from webhook.controller.tenants.isolation import Surroundings
from webhook.controller.tenants.kinds import ACCOUNT, BINDING, OUR_NAMES, Place, Step
from webhook.controller.tenants.namespaces import (
    Seen,
    list_held,
    plan_denied,
    plan_labels,
    plan_missing,
)
from webhook.controller.tenants.steps import Apply, Create, Plan, Problem, Remove, Write
from webhook.controller.tenants.wishes import Wish, list_wishes
from webhook.resources.tenants import Tenant


class Found(NamedTuple):
    """One object with a tenant's label. `creator`: the uid of the Tenant that made it."""

    uid: str
    tenant: str
    creator: str
    content: str
    ending: bool = False


class View(NamedTuple):
    """All that a plan depends on.

    `settled`: what was wished and what was there when the last write made no difference, because
    the server or somebody else adds something to it. `borrowed`: service accounts of somebody else.
    """

    tenant: Tenant
    namespaces: Mapping[str, Seen]
    objects: Mapping[Place, Found]
    around: Surroundings
    servers: tuple[str, ...] = ()
    settled: Mapping[Place, tuple[str, str]] = {}
    borrowed: frozenset[Place] = frozenset()
    home: bool = True  # members have no webhook that injects


def plan_tenant(view: View) -> Plan:
    """What is to be written now; later plans go on from there."""
    tenant, namespaces = view.tenant, view.namespaces
    held = list_held(tenant, namespaces)
    wishes = [
        wish for name in held for wish in list_wishes(tenant, name, view.around, view.servers)
    ]
    wished = {wish.place for wish in wishes}
    steps: list[Write | Problem] = [
        *_withdraw(view, wished, held),
        *plan_missing(tenant, namespaces, view.around.system_namespace),
        *plan_denied(tenant, namespaces),
    ]
    for name in held:
        claimed = plan_labels(tenant, namespaces[name], view.settled, home=view.home)
        steps += [claimed] if claimed else []
    steps += [step for wish in wishes for step in _fulfil(view, wish)]
    if tenant.network.isolate and not view.around.api:
        steps.append(_lack_addresses())
    writes = tuple(step for step in steps if not isinstance(step, Problem))
    problems = tuple(step for step in steps if isinstance(step, Problem))
    unfinished = any(_comes_before(step, wished) for step in writes)
    return Plan(writes, problems, tuple(held), unfinished, frozenset(wished))


def _comes_before(write: Write, wished: set[Place]) -> bool:
    """A namespace whose content comes next, or what has to make room."""
    if isinstance(write, Create):
        return write.place.kind is None
    return isinstance(write, Remove) and write.place in wished


def _withdraw(view: View, wished: set[Place], held: list[str]) -> Iterator[Remove]:
    """What the Tenant made and states no more; access before all else.

    In a namespace that it lost nothing but access goes: what bounds it stays.
    """
    ours = [
        (place, found)
        for place, found in view.objects.items()
        if is_ours(view.tenant.uid, place, found) and place not in wished and not found.ending
    ]
    for place, found in sorted(ours, key=lambda item: (item[0].kind != BINDING, item[0].path)):
        if place.kind == BINDING or place.namespace in held:
            yield Remove(place, found.uid)


def _fulfil(view: View, wish: Wish) -> Iterator[Write | Problem]:
    found = view.objects.get(wish.place)
    if found is None:
        if wish.place.kind != ACCOUNT:
            yield Apply(wish.place, wish.body, wish.content, vacant=True)
        elif wish.place not in view.borrowed:
            yield Create(wish.place, wish.body)
    elif found.ending:
        yield _fail(wish.place, "Ending", "is being deleted, and something holds it up")
    elif not found.creator:
        if wish.place.kind != ACCOUNT:  # any service account of that name will do
            yield not_ours(wish.place)
    elif found.creator != view.tenant.uid and wish.place.kind != ACCOUNT:
        # Of a Tenant that is gone, or so it says: what else it holds would stay beside ours.
        yield Remove(wish.place, found.uid)
    elif found.content != wish.content:
        yield from _mend(view, wish, found)


def _mend(view: View, wish: Wish, found: Found) -> Iterator[Write]:
    if wish.place.kind == BINDING and read_role(found.content) != read_role(wish.content):
        # Which role it binds cannot be changed; what stands there now goes, this one comes next.
        yield Remove(wish.place, found.uid)
    elif view.settled.get(wish.place) == (wish.content, found.content):
        return
    elif wish.place.kind == BINDING:
        yield from _rebind(wish, found)
    else:
        yield Apply(wish.place, wish.body, wish.content)


def _rebind(wish: Wish, found: Found) -> Iterator[Write]:
    """Who is to have access no more loses it even where nobody new may get it yet."""
    wished, known = wish.body["subjects"], read_subjects(found.content)
    if known is None:
        yield Remove(wish.place, found.uid)
        return
    staying = [subject for subject in wished if subject in known]
    if len(staying) == len(wished):
        yield Apply(wish.place, wish.body, wish.content, narrows=True)
        return
    if any(subject not in wished for subject in known):
        body = {**wish.body, "subjects": staying}
        yield Apply(wish.place, body, render_content(body), narrows=True)
    yield Apply(wish.place, wish.body, wish.content)


def is_ours(uid: str, place: Place, found: Found) -> bool:
    """Whether this Tenant made it. All but service accounts have names that the guards keep.

    Marks alone could be put onto anything by whoever makes it.
    """
    return found.creator == uid and (place.kind == ACCOUNT or place.name.startswith(OUR_NAMES))


def not_ours(place: Place) -> Problem:
    """Something stands where ours should."""
    return _fail(
        place, "NotOurs", "is there already and was not made for this Tenant: delete or rename it"
    )


def _lack_addresses() -> Problem:
    return Problem(
        Step.NETWORK,
        "",
        "NoAddresses",
        "the API server's addresses are not known (EndpointSlice default/kubernetes): list them "
        "in spec.network.allow.egress, or isolated pods do not reach it",
    )


def _fail(place: Place, reason: str, message: str) -> Problem:
    return Problem(place.step, place.namespace, reason, f"{place.shown} {message}")
