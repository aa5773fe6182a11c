"""Owns how the work on members is put together for the engine: two parts, and what they follow.

Must not do the work.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from prometheus_client import Gauge

from webhook.controller.engine.events import Recorder, Regarding
from webhook.controller.engine.part import Follow, Part
from webhook.controller.engine.world import Kept, World
from webhook.controller.members.acceptance import Neighbourhood
from webhook.controller.members.credentials import MemberAccess
from webhook.controller.members.inventory import Inventory
from webhook.controller.members.looking import Looking
from webhook.controller.members.profiles import API, KIND, Profile, find_path, parse_profile
from webhook.kube import RawDocument
from webhook.resources.clusters import PROFILE, Cluster
from webhook.resources.conditions import Condition, read_conditions
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import API_VERSION
from webhook.watching.collection import Collection
from webhook.watching.store import Change, Store

# Those that are down wait for their answer, each in a thread.
_WORKERS: Final = 8
Profiles = dict[str, Store[Profile | Invalid]]


def open_access(world: World) -> MemberAccess:
    """For whoever calls members as the controller."""
    find = partial(_find_cluster, world)
    return MemberAccess(world.kube, world.settings.namespace, find, world.leads)


def build_parts(world: World) -> list[Part]:
    """Members, and the ClusterProfiles of the namespaces that are listed."""
    profiles: Profiles = {
        namespace: world.follow(Collection(find_path(namespace), parse_profile, optional=True))
        for namespace in world.settings.profile_namespaces
    }
    ready = Gauge(
        "mca_controller_members",
        "Clusters by what their conditions say",
        ["condition", "status"],
        registry=world.registry,
    )
    for kind in ("Accepted", "Ready", "Enforced"):
        for status in ("True", "False"):
            ready.labels(kind, status).set_function(partial(_count, world, kind, status == "True"))
    members = Looking(
        writer=world.writer,
        access=open_access(world),
        find=world.clusters.get,
        surround=partial(_surround, world, profiles),
        probe_s=world.settings.probe_s,
        tell=partial(_tell_change, world.events),
    )
    of_profiles = [Follow(store, _name_cluster) for store in profiles.values()]
    parts = [
        Part(
            "members",
            members.reconcile,
            follows=(Follow(world.clusters, _name_changed), *of_profiles),
            workers=_WORKERS,
            begin_term=members.begin_term,
        )
    ]
    if profiles:
        inventory = Inventory(
            writer=world.writer,
            find=partial(_find_profile, profiles),
            find_cluster=partial(_find_value, world),
            tell=partial(_tell_profile, world.events),
        )
        follows = [Follow(store, _name) for store in profiles.values()]
        parts.append(
            Part(
                "profiles",
                inventory.reconcile,
                follows=(Follow(world.clusters, _name_profile), *follows),
            )
        )
    return parts


def _name(change: Change[Any]) -> Iterable[str]:
    return (change.key,)


def _name_changed(change: Change[Kept[Cluster | Invalid]]) -> Iterable[str]:
    """Not for its status: each look writes it, and would be looked at again, with its Secret."""
    old, new = change.old, change.new
    if old is not None and new is not None and _mark(old.value) == _mark(new.value):
        return ()
    return (change.key,)


def _mark(value: Cluster | Invalid) -> tuple[object, ...]:
    meta = value.meta
    problems = value.problems if isinstance(value, Invalid) else ()
    return meta.uid, meta.generation, meta.annotations.get(PROFILE), meta.deleting, problems


def _name_cluster(change: Change[Profile | Invalid]) -> Iterable[str]:
    """The Cluster of a profile has its name."""
    return (change.key.rpartition("/")[2],)


def _name_profile(change: Change[Kept[Cluster | Invalid]]) -> Iterable[str]:
    kept = change.new or change.old
    named = "" if kept is None else kept.value.meta.annotations.get(PROFILE, "")
    return (named,) if named else ()


def _find_value(world: World, name: str) -> Cluster | Invalid | None:
    kept = world.clusters.get(name)
    return None if kept is None else kept.value


def _find_cluster(world: World, name: str) -> Cluster | None:
    value = _find_value(world, name)
    return value if isinstance(value, Cluster) else None


def _find_profile(profiles: Profiles, key: str) -> Profile | Invalid | None:
    store = profiles.get(key.partition("/")[0])
    return None if store is None else store.get(key)


def _surround(world: World, profiles: Profiles, cluster: Cluster) -> Neighbourhood:
    values = (kept.value for _, kept in world.clusters.items())
    others = tuple(value for value in values if isinstance(value, Cluster))
    named = cluster.meta.annotations.get(PROFILE, "")
    # Whoever stops to list a namespace leaves what came from it as it is.
    gone = named.partition("/")[0] in profiles and _find_profile(profiles, named) is None
    return Neighbourhood(others, world.settings.member_audiences, gone)


def _count(world: World, kind: str, wanted: bool) -> float:
    conditions = (read_conditions(kept.document).get(kind) for _, kept in world.clusters.items())
    return float(sum(each is not None and each.status is wanted for each in conditions))


def _tell_change(
    events: Recorder, meta: Meta, conditions: tuple[Condition, ...], document: RawDocument
) -> None:
    """Of each condition that became another; what is not known yet is no news."""
    before = read_conditions(document)
    regarding = Regarding(API_VERSION, "Cluster", meta.name, uid=meta.uid)
    for condition in conditions:
        old = before.get(condition.type)
        if condition.status is None or (old is not None and old.status is condition.status):
            continue
        events.tell(
            regarding,
            condition.reason,
            f"{condition.type}: {condition.message}",
            warning=not condition.status,
        )


def _tell_profile(events: Recorder, meta: Meta, reason: str, message: str) -> None:
    regarding = Regarding(API, KIND, meta.name, meta.namespace, meta.uid)
    events.tell(regarding, reason, message, warning=True)
