"""Owns the question whether a cluster is guarded: our guards and our webhook are there, as made.

Without them a namespace's label there means nothing. Must not fetch: what is stored is given.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from webhook.admission.outcome import RawObject
from webhook.admission.registration import NAME
from webhook.enforcement.comparison import list_differences
from webhook.enforcement.registered import find_deviation, list_bundles
from webhook.guards.reading import UnreadableError, read_guard_settings
from webhook.guards.rendering import make_guards
from webhook.guards.settings import GuardSettings

# The names are the same for every image.
GUARD_NAMES: Final = tuple(
    guard.name for guard in make_guards(GuardSettings(image=f"mca@sha256:{'0' * 64}"))
)
# By which the webhook is registered.
REGISTRATION: Final = NAME
_POLICY: Final = "ValidatingAdmissionPolicy"
_SHOWN: Final = 3


class Stored(NamedTuple):
    """What a cluster has: policies and their bindings, and the webhook's registration."""

    policies: tuple[RawObject, ...]
    bindings: tuple[RawObject, ...]
    registration: RawObject | None


class Lack(NamedTuple):
    """Why a cluster is not guarded; `reason` is stable."""

    reason: str
    message: str


def find_lack(stored: Stored) -> Lack | None:
    """The first thing that is missing or otherwise; None: the cluster is guarded."""
    policies, bindings = _by_name(stored.policies), _by_name(stored.bindings)
    missing = [name for name in GUARD_NAMES if name not in policies or name not in bindings]
    if missing:
        return Lack("GuardsMissing", f"not there, policy or binding: {_list_some(missing)}")
    try:
        settings = read_guard_settings(policies)
    except UnreadableError as error:
        return Lack("GuardsDiffer", f"the guards were changed: {error}")
    differences = [
        f"{guard.name}: {path}"
        for guard in make_guards(settings)
        for manifest in guard.manifests()
        for path in list_differences(
            manifest["spec"],
            (policies if manifest["kind"] == _POLICY else bindings)[guard.name].get("spec"),
        )
    ]
    if differences:
        told = "the guards were changed, or are of another release"
        return Lack("GuardsDiffer", f"{told}: {_list_some(differences)}")
    return _judge_registration(stored.registration, settings.system_namespace)


def _judge_registration(registration: RawObject | None, system: str) -> Lack | None:
    if registration is None:
        return Lack("WebhookMissing", "the webhook is not registered")
    missing, differences = find_deviation(registration, system)
    if missing or differences:
        told = f"the webhook's registration was changed: {_list_some([*missing, *differences])}"
        return Lack("WebhookDiffers", told)
    if "" in list_bundles(registration):
        return Lack("WebhookUntrusted", "the webhook's caBundle is empty: it serves nobody yet")
    return None


def _by_name(items: Iterable[RawObject]) -> dict[str, RawObject]:
    return {str(item["metadata"]["name"]): item for item in items}


def _list_some(texts: list[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
