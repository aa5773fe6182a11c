"""Owns what a Tenant's status says of its provisioning, and the Events about it.

Must not decide what is so. Written only where it differs: a status wakes whoever follows it.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Final

from webhook.controller.engine.events import Recorder, Regarding
from webhook.controller.engine.world import Kept
from webhook.controller.tenants.kinds import MANAGER
from webhook.kube import Kube
from webhook.resources.conditions import (
    Condition,
    apply_status,
    now_text,
    read_conditions,
    same_conditions,
)
from webhook.resources.meta import Invalid, Meta, mapping, text_list
from webhook.resources.names import API_VERSION, object_path
from webhook.resources.tenants import Tenant

KIND: Final = "Tenant"


def read_held(kept: Kept[Tenant | Invalid]) -> set[str]:
    """The namespaces that a Tenant was last said to hold."""
    return set(text_list(mapping(kept.document.get("status")).get("namespaces")))


class Teller:
    """Writes status by a manager of its own: conditions of others stay."""

    def __init__(self, kube: Kube, events: Recorder) -> None:
        self._kube = kube
        self._events = events

    def tell(
        self, kept: Kept[Tenant | Invalid], conditions: Sequence[Condition], held: Sequence[str]
    ) -> None:
        """What is so now, if the Tenant does not say it yet."""
        meta, status = kept.value.meta, mapping(kept.document.get("status"))
        if (
            same_conditions(conditions, kept.document)
            and text_list(status.get("namespaces")) == tuple(held)
            and status.get("observedGeneration") == meta.generation
        ):
            return
        body = apply_status(
            KIND,
            meta,
            conditions,
            kept.document,
            now_text(time.time()),
            namespaces=list(held),
            observedGeneration=meta.generation,
        )
        self._kube.apply(f"{object_path(KIND, meta.name)}/status", body, MANAGER)
        self._report(kept, conditions)

    def warn(self, meta: Meta, reason: str, message: str) -> None:
        """An Event alone: for what no status will tell any more."""
        about = Regarding(API_VERSION, KIND, meta.name, uid=meta.uid)
        self._events.tell(about, reason, message, warning=True)

    def _report(self, kept: Kept[Tenant | Invalid], conditions: Iterable[Condition]) -> None:
        meta, before = kept.value.meta, read_conditions(kept.document)
        about = Regarding(API_VERSION, KIND, meta.name, uid=meta.uid)
        for condition in conditions:
            known = before.get(condition.type)
            if (
                condition.status is False
                and condition.message
                and (known is None or known.message != condition.message)
            ):
                reason = f"{condition.type}{condition.reason}"
                self._events.tell(about, reason, condition.message, warning=True)
