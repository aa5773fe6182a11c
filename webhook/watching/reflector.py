"""Owns how a store is kept true: a list in pages, a watch from there, and again after each break.

Must not end, whatever the API server does, nor ask it more often for that: failures are followed by
growing pauses, which differ between replicas. What is listed is held one page at a time.
"""

import random
import threading
import time
from typing import Final, Generic, Protocol, TypeVar

from sidecar.log import log_event
from webhook.answers import UNREADABLE
from webhook.kube import Kube, KubeError, RawDocument
from webhook.serving.faults import locate_fault
from webhook.watching.collection import Collection, Key, key_of
from webhook.watching.listing import FIRST_PAGE, Listing
from webhook.watching.store import Store

T = TypeVar("T")

# API servers end watches after 30 to 60 minutes; what has broken without a sign is found by then.
_WATCH_S: Final = (240.0, 360.0)
_PAUSES_S: Final = (0.2, 30.0)
_ABSENT_S: Final = 60.0
# A watch that tells nothing for so long, and does not fail, is one.
_STANDS_S: Final = 10.0
_GONE: Final = 410
_NOT_FOUND: Final = 404
# Nothing answered, or who did was busy.
_ASK_AGAIN: Final = (0, 429, 503)
_JITTER: Final = random.Random()  # noqa: S311 - spreads load, keeps no secret


class WatchTally(Protocol):
    """Who counts, from the reflector's thread."""

    def count_list(self, resource: str, objects: int) -> None:
        """A list is in."""

    def count_events(self, resource: str, objects: int) -> None:
        """An event was taken; so many objects there are now."""

    def count_failure(self, resource: str) -> None:
        """A list or a watch has failed."""


class _Pause:
    """Grows with each failure, and is spread out: replicas do not come back at once."""

    def __init__(self) -> None:
        self._next_s = _PAUSES_S[0]

    def reset(self) -> None:
        self._next_s = _PAUSES_S[0]

    def take(self) -> float:
        pause = self._next_s
        self._next_s = min(_PAUSES_S[1], pause * 2)
        return pause * _JITTER.uniform(0.5, 1.0)


class Reflector(Generic[T]):
    """Fills one store, in a thread of its own that ends with the process, or after `stop`."""

    def __init__(
        self,
        kube: Kube,
        collection: Collection[T],
        store: Store[T],
        tally: WatchTally | None = None,
        page: int = FIRST_PAGE,
    ) -> None:
        self._kube = kube
        self._collection = collection
        self._store = store
        self._tally = tally
        self._page = page
        self._stopped = threading.Event()
        self._pause = _Pause()
        self._between_lists = _Pause()  # while no watch stands: lists are dear
        self._in_vain = False  # the last list was followed by no watch
        self._told = ""

    def start(self) -> None:
        """Begin; `store.synced` tells when the first list is in."""
        name = f"watch-{self._collection.resource}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def stop(self) -> None:
        """Take no more; a call that is under way may still end by itself."""
        self._stopped.set()

    def _run(self) -> None:
        version = ""
        while not self._stopped.is_set():
            try:
                version = self._follow(version) if version else self._list()
            except KubeError as error:
                version = self._survive(error, version)
            except Exception as error:  # noqa: BLE001 - a thread that ends would blind the process
                version = ""
                self._complain(locate_fault(error))
                self._stopped.wait(self._pause.take())

    def _survive(self, error: KubeError, version: str) -> str:
        """From where to go on; after a pause."""
        # A list that expires before its last page has failed: begun anew at once it would again.
        if version and (error.status == _GONE or error.reason in ("Expired", "Gone")):
            log_event("info", "watch_expired", resource=self._collection.resource)
            self._stopped.wait(_JITTER.uniform(0.0, _PAUSES_S[0]))
            return ""
        if error.status == _NOT_FOUND and self._collection.optional:
            self._store.replace({})
            self._stopped.wait(_ABSENT_S)
            return ""
        self._complain(str(error))
        self._stopped.wait(self._pause.take())
        if error.reason == UNREADABLE:  # it would come again
            return ""
        # An API server that was set back to a backup does not know the version.
        return version if error.status in _ASK_AGAIN else ""

    def _complain(self, problem: str) -> None:
        if self._tally is not None:
            self._tally.count_failure(self._collection.resource)
        if problem != self._told:
            self._told = problem
            log_event(
                "warning", "watch_failed", resource=self._collection.resource, problem=problem
            )

    def _stand(self) -> None:
        """The watch works."""
        self._in_vain = False
        self._pause.reset()
        self._between_lists.reset()
        if self._told:
            self._told = ""
            log_event("info", "watch_recovered", resource=self._collection.resource)

    def _list(self) -> str:
        """All objects, page by page; the version that they are of."""
        if self._in_vain:
            self._stopped.wait(self._between_lists.take())
        found: dict[Key, T] = {}
        query = dict(self._collection.query)
        listing = Listing(self._kube, self._collection.path, query, self._page)
        version, rest = self._take_page(listing.fetch(), found)
        while rest:
            version, rest = self._take_page(listing.fetch(rest), found)
        if self._tally is not None:
            self._tally.count_list(self._collection.resource, len(found))
        self._store.replace(found)
        self._in_vain = True
        self._pause.reset()
        return version

    def _take_page(self, page: RawDocument, found: dict[Key, T]) -> tuple[str, str]:
        """The version of the list, and where it goes on. The page is not held any longer."""
        for raw in page.get("items") or ():
            value = self._project(raw)
            if value is not None:
                found[key_of(raw)] = value
        meta = page.get("metadata") or {}
        return str(meta.get("resourceVersion") or ""), str(meta.get("continue") or "")

    def _follow(self, version: str) -> str:
        """Take events until the watch ends; the version to go on from."""
        query = {
            **dict(self._collection.query),
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
        }
        events = self._kube.watch(
            self._collection.path, query=query, timeout_s=_JITTER.uniform(*_WATCH_S)
        )
        heard, began = False, time.monotonic()
        try:
            for event in events:
                heard = True
                raw = event["object"]
                if event.get("type") != "BOOKMARK":
                    self._take(raw, gone=event.get("type") == "DELETED")
                version = str((raw.get("metadata") or {}).get("resourceVersion") or version)
                self._stand()
                if self._stopped.is_set():
                    break
        except KubeError as error:
            if time.monotonic() - began > _STANDS_S:
                self._stand()
            # What it has told until then counts.
            return self._survive(error, version)
        if not heard:  # in all this time a bookmark would have come
            self._stopped.wait(self._pause.take())
        return version

    def _project(self, raw: RawDocument) -> T | None:
        """One odd object must not hide all others."""
        try:
            return self._collection.project(raw)
        except Exception as error:  # noqa: BLE001 - whatever a tenant may have written there
            resource, key = self._collection.resource, key_of(raw)
            log_event(
                "error", "object_left_out", resource=resource, key=key, problem=locate_fault(error)
            )
            return None

    def _take(self, raw: RawDocument, *, gone: bool) -> None:
        self._store.put(key_of(raw), None if gone else self._project(raw))
        if self._tally is not None:
            self._tally.count_events(self._collection.resource, len(self._store))
