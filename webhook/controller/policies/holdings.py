"""Owns which namespaces each Tenant holds: looked up once, until something of it changes.

Must not judge a claim: webhook/resources/claims.py does.
"""

from collections.abc import Iterable
from itertools import count

from webhook.controller.engine.world import Kept
from webhook.resources.claims import Claim, judge_claim
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import LABEL_TENANT
from webhook.resources.tenants import Tenant
from webhook.watching.store import Change, Store


class Holdings:
    """Asked from any thread; what changes while it looks is looked up again next time."""

    def __init__(
        self,
        namespaces: Store[Meta],
        tenants: Store[Kept[Tenant | Invalid]],
        system_namespace: str,
    ) -> None:
        self._namespaces = namespaces
        self._tenants = tenants
        self._system_namespace = system_namespace
        # Of two changes at once neither is lost: no number is given twice.
        self._numbers = count(1)
        self._changes: dict[str, int] = {}
        self._held: dict[str, tuple[int, tuple[str, ...]]] = {}
        namespaces.listen(self._hear_namespace)
        tenants.listen(self._hear_tenant)

    def judge(self, namespace: Meta) -> Claim:
        """Whose it is, as far as is known now."""
        name = namespace.labels.get(LABEL_TENANT, "")
        kept = self._tenants.get(name)
        known = {} if kept is None else {name: kept.value}
        return judge_claim(namespace, known, self._system_namespace)

    def list_held(self, tenant: str) -> tuple[str, ...]:
        """The namespaces that are this Tenant's."""
        changes = self._changes.get(tenant)
        known = self._held.get(tenant)
        if known is not None and known[0] == changes:
            return known[1]
        held = tuple(sorted(self._find(tenant)))
        if changes is not None:
            self._held[tenant] = (changes, held)
        return held

    def _find(self, tenant: str) -> Iterable[str]:
        for key in self._namespaces.find("tenant", tenant):
            meta = self._namespaces.get(key)
            if meta is not None and self.judge(meta).tenant is not None:
                yield key

    def _hear_namespace(self, change: Change[Meta]) -> None:
        for meta in (change.old, change.new):
            if meta is not None and LABEL_TENANT in meta.labels:
                self._count(meta.labels[LABEL_TENANT])

    def _hear_tenant(self, change: Change[Kept[Tenant | Invalid]]) -> None:
        self._count(change.key)

    def _count(self, tenant: str) -> None:
        if self._tenants.get(tenant) is None and not self._namespaces.find("tenant", tenant):
            # Labels can say anything: of a name that nothing has any more nothing is remembered.
            self._changes.pop(tenant, None)
            self._held.pop(tenant, None)
        else:
            self._changes[tenant] = next(self._numbers)
