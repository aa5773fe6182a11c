"""Owns the comparison of a stored registration of the webhook with what MCA makes.

The CA and the address differ between clusters and count for nothing. Must not fetch.
"""

from typing import NamedTuple

from webhook.admission.outcome import RawObject
from webhook.admission.registration import MODES, build_registration, find_path
from webhook.enforcement.comparison import list_differences


class Deviation(NamedTuple):
    """Webhooks that are not there, and the paths of what was changed or added."""

    missing: tuple[str, ...]
    differences: tuple[str, ...]


def find_deviation(registration: RawObject, system: str) -> Deviation:
    """Nothing in it where the registration is as MCA makes it, for its namespace `system`."""
    webhooks = {item["name"]: item for item in registration.get("webhooks") or ()}
    expected = _expect(webhooks, system)
    missing = tuple(sorted(expected.keys() - webhooks.keys()))
    differences = [
        f"{name}: {path}"
        for name, entry in expected.items()
        if name in webhooks
        for path in list_differences(entry, _strip(webhooks[name]))
    ]
    differences += [f"{name} is not MCA's" for name in sorted(webhooks.keys() - expected.keys())]
    return Deviation(missing, tuple(differences))


def list_bundles(registration: RawObject) -> set[str]:
    """The caBundles, "" for one that is not there."""
    return {
        str(item["clientConfig"].get("caBundle") or "") for item in registration.get("webhooks", ())
    }


def _expect(webhooks: dict[str, RawObject], system: str) -> dict[str, RawObject]:
    """The entries, for the address that is there."""
    built = build_registration({"service": {}}, "", (system,))
    entries = {}
    for mode, entry in zip(MODES, built["webhooks"], strict=True):
        stored = (webhooks.get(entry["name"]) or {}).get("clientConfig") or {}
        entries[entry["name"]] = {**entry, "clientConfig": _expect_address(stored, mode)}
    return entries


def _expect_address(stored: RawObject, mode: str) -> RawObject:
    path = find_path(mode)
    if url := stored.get("url"):
        return {"url": f"{str(url).removesuffix(path)}{path}"}
    return {"service": {**(stored.get("service") or {}), "path": path}}


def _strip(webhook: RawObject) -> RawObject:
    address = {key: value for key, value in webhook["clientConfig"].items() if key != "caBundle"}
    return {**webhook, "clientConfig": address}
