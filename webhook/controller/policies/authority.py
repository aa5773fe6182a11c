"""Owns by which CA sidecars verify the broker: from the ConfigMap that shows it, or from a file.

Must not touch a key.
"""

import base64
from typing import Final

from webhook.controller.compiling.case import Broker
from webhook.controller.engine.part import Part
from webhook.controller.engine.world import World
from webhook.install.names import CA_MAP
from webhook.kube import RawDocument
from webhook.watching.collection import Collection, Key
from webhook.watching.store import Store

_KEY: Final = "ca.crt"
_FILE: Final = "file"
_LOOK_S: Final = 10.0


class Authority:
    """The broker as snapshots name it. `store` holds its CA, whoever fills it."""

    def __init__(self, world: World) -> None:
        self._settings = world.settings
        self.store: Store[str]
        self.parts: tuple[Part, ...] = ()
        if world.settings.certificates == "own":
            path = f"/api/v1/namespaces/{world.settings.namespace}/configmaps"
            only = (("fieldSelector", f"metadata.name={CA_MAP}"),)
            self._key = f"{world.settings.namespace}/{CA_MAP}"
            self.store = world.follow(Collection(path, keep_authority, only))
        else:
            self._key = _FILE
            self.store = Store()
            self._read(_FILE)
            self.parts = (Part("authority", self._read, seeds=(_FILE,)),)

    def find(self) -> Broker | None:
        """None as long as the CA is not known."""
        pem = self.store.get(self._key)
        if not pem:
            return None
        return Broker(self._settings.address, base64.b64encode(pem.encode()).decode())

    def _read(self, key: Key) -> float:
        """Take the file as it is now; one that cannot be read changes nothing."""
        try:
            with open(self._settings.ca_path, encoding="ascii") as file:
                self.store.put(key, file.read())
        except (OSError, ValueError):
            return _LOOK_S
        return _LOOK_S


def keep_authority(raw: RawDocument) -> str | None:
    """The CA certificates that the ConfigMap shows."""
    pem = (raw.get("data") or {}).get(_KEY)
    return pem if isinstance(pem, str) else None
