"""Owns what becomes of an application's container: its view of the service account and of the API.

Must not touch anything else of it. What stays is the same object as before.
"""

from collections.abc import Collection
from typing import Final

from webhook.admission.names import CLIENTS_VOLUME, SERVICE_ACCOUNT_PATH
from webhook.admission.outcome import RawObject
from webhook.admission.proxies import DIRECT, add_exceptions
from webhook.admission.volumes import is_account_path

_HOST: Final = "KUBERNETES_SERVICE_HOST"
_PORTS: Final = ("KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS")
ADDRESS_VARIABLES: Final = (_HOST, *_PORTS)
_ADDRESS: Final = "127.0.0.1"


def hides_account(container: RawObject, removed: Collection[str]) -> bool:
    """Whether it mounts something else where its service account would be."""
    return any(
        is_account_path(mount["mountPath"])
        for mount in container.get("volumeMounts") or ()
        if mount["name"] not in removed
    )


def adapt_container(
    container: RawObject,
    removed: Collection[str],
    api_port: int | None,
    direct: tuple[str, ...] = DIRECT,
) -> RawObject:
    """The container without its mounts of `removed` volumes; with the API, if there is a port.

    `direct` are the hosts that no proxy must be asked for.
    """
    gets_api = api_port is not None
    mounts = container.get("volumeMounts") or []
    changes = {
        "volumeMounts": (mounts, _adapt_mounts(container["name"], mounts, removed, gets_api))
    }
    if api_port is not None:
        env = container.get("env") or []
        changes["env"] = (env, add_exceptions(_set_address(env, api_port), direct))
    adapted = dict(container)
    for key, (old, new) in changes.items():
        if new and new != old:
            adapted[key] = new
        elif not new and old:
            del adapted[key]
    return adapted if adapted != container else container


def _adapt_mounts(
    name: str, mounts: list[RawObject], removed: Collection[str], gets_api: bool
) -> list[RawObject]:
    """Ours stands where the first one stood that it replaces."""
    ours = {
        "name": CLIENTS_VOLUME,
        "mountPath": SERVICE_ACCOUNT_PATH,
        "readOnly": True,
        "subPath": name,
    }
    adapted: list[RawObject] = []
    place: int | None = None
    for mount in mounts:
        replaced = is_account_path(mount["mountPath"])
        if replaced and place is None:
            place = len(adapted)
        if mount["name"] not in removed and not (gets_api and replaced):
            adapted.append(mount)
    if gets_api:
        adapted.insert(len(adapted) if place is None else place, ours)
    return adapted


def _set_address(env: list[RawObject], api_port: int) -> list[RawObject]:
    """What is there is replaced in its place; the others come first, for `$(...)` further down."""
    wanted = {_HOST: _ADDRESS, **dict.fromkeys(_PORTS, str(api_port))}
    missing = dict(wanted)
    if wanted.keys().isdisjoint([item["name"] for item in env]):
        return [*({"name": name, "value": text} for name, text in wanted.items()), *env]
    adapted = []
    for item in env:
        name = item["name"]
        if name not in wanted:
            adapted.append(item)
        elif name in missing:
            adapted.append({"name": name, "value": missing.pop(name)})
    return [{"name": name, "value": text} for name, text in missing.items()] + adapted
