"""Owns that an object of ours stands in a namespace as it should, whatever stood there before.

Must not wait, and never waits for a conflict to end: what it writes is written over whatever a
tenant may have made of it in the meantime (attack 65). Nothing is written that is there already.
"""

import time
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from webhook.kube import MERGE_PATCH, Kube, KubeError, RawDocument
from webhook.resources.names import POLICY
from webhook.resources.policy_objects import MANAGER, Stored, Wanted
from webhook.watching.store import Change, Store

Action = Literal["kept", "created", "updated", "replaced"]
_CALL_S: Final = 10.0
_NOT_FOUND: Final = 404
# By then a watch has told of what was written, or it is looked at anew.
SEEN_S: Final = 15.0


class Outcome(NamedTuple):
    """What was done; and what was wrong with what stood there, if it was not ours any more."""

    action: Action
    flaws: tuple[str, ...] = ()


class _Written(NamedTuple):
    """What an answer said, for as long as the store has what was there before.

    But not for long: what was made and deleted while no watch was open, the store never hears of.
    """

    before: str
    stored: Stored
    until: float


class Places:
    """One kind of object, called mca-policy, in every namespace. `base` is its API's path."""

    def __init__(
        self,
        writer: Kube,
        base: str,
        plural: str,
        keep: Callable[[RawDocument], Stored],
        store: Store[Stored],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._base = base
        self._plural = plural
        self._keep = keep
        self._store = store
        self._clock = clock
        self._written: dict[str, _Written] = {}
        self._wanted: dict[str, str] = {}

    def list_unsettled(self, change: Change[Stored]) -> tuple[str, ...]:
        """The namespace where this change left something else than was put there."""
        namespace = change.key.partition("/")[0]
        written = self._written.get(namespace)
        if written is not None and (change.new is None or change.new.version != written.before):
            self._written.pop(namespace, None)
        if change.new is not None and _is(change.new, self._wanted.get(namespace, "")):
            return ()
        return (namespace,)

    def begin_term(self) -> None:
        """What was put there by another leader is nobody else's writing."""
        self._written.clear()
        self._wanted.clear()

    def has(self, namespace: str) -> bool:
        """Whether there is one of ours."""
        stored = self._store.get(f"{namespace}/{POLICY}")
        return stored is not None and stored.ours

    def forget(self, namespace: str) -> None:
        """The namespace is gone."""
        self._written.pop(namespace, None)
        self._wanted.pop(namespace, None)

    def put(self, namespace: str, wanted: Wanted) -> Outcome:
        """See that it is there. KubeError: it may not be yet."""
        stored = self._look(namespace)
        before = self._wanted.get(namespace)
        self._wanted[namespace] = wanted.digest
        if stored is None:
            self._create(namespace, stored, wanted)
            return Outcome("created")
        if _is(stored, wanted.digest):
            return Outcome("kept")
        flaws = stored.flaws
        if before == wanted.digest and stored.digest != wanted.digest:
            flaws = ("was written by somebody else", *flaws)
        if stored.frozen or stored.deleting:
            self._remove(namespace, stored)
            self._create(namespace, stored, wanted)
            return Outcome("replaced", flaws or ("was being deleted",))
        self._update(namespace, stored, wanted)
        return Outcome("updated", flaws)

    def _look(self, namespace: str) -> Stored | None:
        stored = self._store.get(f"{namespace}/{POLICY}")
        written = self._written.get(namespace)
        if written is None or written.before != (stored.version if stored else ""):
            return stored
        return written.stored if self._clock() < written.until else stored

    def _path(self, namespace: str) -> str:
        return f"{self._base}/namespaces/{namespace}/{self._plural}/{POLICY}"

    def _create(self, namespace: str, before: Stored | None, wanted: Wanted) -> None:
        # By apply, for which rights are asked by its name: create alone could not be limited to it.
        answer = self._writer.apply(self._path(namespace), wanted.body, MANAGER)
        self._note(namespace, before, answer.document)

    def _update(self, namespace: str, stored: Stored, wanted: Wanted) -> None:
        # Without a version: else whoever writes all the time would keep us from it. All that is not
        # in the body goes: owners, finalizers, other keys, and what others say they manage, which
        # API servers keep as it was sent, nested too deeply for a sidecar to read.
        metadata = {**wanted.body["metadata"], "uid": stored.uid, "managedFields": [{}]}
        answer = self._writer.request(
            "PUT",
            self._path(namespace),
            {**wanted.body, "metadata": metadata},
            query={"fieldManager": MANAGER},
            timeout_s=_CALL_S,
        )
        self._note(namespace, stored, answer.document)

    def _remove(self, namespace: str, stored: Stored) -> None:
        path, condition = self._path(namespace), {"uid": stored.uid}
        try:
            if not stored.deleting:
                body = {"preconditions": condition, "propagationPolicy": "Background"}
                self._writer.request("DELETE", path, body, timeout_s=_CALL_S)
            if stored.held:
                free = {"metadata": {**condition, "finalizers": None}}
                self._writer.request(
                    "PATCH", path, free, content_type=MERGE_PATCH, timeout_s=_CALL_S
                )
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise

    def _note(self, namespace: str, before: Stored | None, document: RawDocument) -> None:
        # If the store has moved on already, it may know more than the answer.
        there, version = self._store.get(f"{namespace}/{POLICY}"), before.version if before else ""
        if (there.version if there else "") == version:
            until = self._clock() + SEEN_S
            self._written[namespace] = _Written(version, self._keep(document), until)


def _is(stored: Stored, digest: str) -> bool:
    return stored.digest == digest and not stored.flaws and not stored.deleting
