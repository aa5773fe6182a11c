"""Owns how the settings that guards were rendered with are read back from their CEL.

With them the guards are rendered again and compared: so a guard that was changed is seen whoever
the admins are. Must not judge what it reads.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from webhook.admission.outcome import RawObject
from webhook.guards.settings import GuardSettings

LABELS_GUARD: Final = "mca-namespace-labels"
PODS_GUARD: Final = "mca-final-pods"
TOKENS_GUARD: Final = "mca-token-requests"
OBJECTS_GUARD: Final = "mca-own-objects"
_IMAGE: Final = re.compile(r'\.image == ("(?:[^"\\]|\\.)*")')
_AT_HOME: Final = re.compile(r'request\.namespace != ("(?:[^"\\]|\\.)*")')
_ADMIN_GROUPS: Final = "exists(group, group in "
_USERS: Final = "request.userInfo.username in "
_AUDIENCES: Final = "all(audience, audience in "
# Which variables each sidecar must have: asked of those that live by the controller's policy.
_POLICY: Final = ".all(name, c.?env"
_PREVIOUS: Final = ".image in "


class UnreadableError(ValueError):
    """A guard does not look as MCA makes it."""


def read_guard_settings(policies: dict[str, RawObject]) -> GuardSettings:
    """Of the policies by name; UnreadableError names the guard that says nothing."""
    trusted = next(
        (
            str(variable["expression"])
            for variable in policies[LABELS_GUARD]["spec"].get("variables") or ()
            if variable["name"] == "trusted"
        ),
        "",
    )
    users = list(_list_after(trusted, _USERS))
    groups = list(_list_after(trusted, _ADMIN_GROUPS))
    audiences = list(_list_after(_join(policies[TOKENS_GUARD]), _AUDIENCES))
    image, *previous = read_images(policies[PODS_GUARD])
    if len(users) != 2 or len(groups) != 1:  # the users are admins and controllers
        raise UnreadableError(f"{LABELS_GUARD} does not say who is an admin")
    if len(audiences) != 1:
        raise UnreadableError(f"{TOKENS_GUARD} does not say which audiences are listed")
    try:
        return GuardSettings(
            image=image,
            previous_images=tuple(previous),
            admin_users=users[0],
            admin_groups=groups[0],
            controllers=users[1],
            system_namespace=_read_home(policies[OBJECTS_GUARD]),
            audiences=audiences[0],
            policy="controller" if _POLICY in _join(policies[PODS_GUARD]) else "home",
        )
    except ValueError as error:
        raise UnreadableError(str(error)) from None


def _read_home(policy: RawObject) -> str:
    for condition in policy["spec"].get("matchConditions") or ():
        if found := _AT_HOME.fullmatch(str(condition["expression"])):
            return str(json.loads(found[1]))
    raise UnreadableError(f"{OBJECTS_GUARD} does not say where MCA is")


def read_images(policy: RawObject) -> tuple[str, ...]:
    """Of the guard of new pods: which image sidecars have, and which it accepts besides."""
    judged = _join(policy)
    image = _IMAGE.search(judged)
    previous = list(_list_after(judged, _PREVIOUS))
    if image is None or len(previous) != 1:
        raise UnreadableError(f"{PODS_GUARD} does not say which image sidecars have")
    return (str(json.loads(image[1])), *previous[0])


def _join(policy: RawObject) -> str:
    return "\n".join(
        str(validation["expression"]) for validation in policy["spec"].get("validations") or ()
    )


def _list_after(text: str, words: str) -> Iterator[tuple[str, ...]]:
    """The CEL lists of strings, which are JSON's, behind each of these words."""
    decoder = json.JSONDecoder()
    for found in re.finditer(re.escape(words), text):
        try:
            items: Any = decoder.raw_decode(text, found.end())[0]
        except ValueError:
            continue
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            yield tuple(items)
