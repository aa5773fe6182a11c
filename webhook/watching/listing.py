"""Owns how a list is fetched: in pages that stay small, whatever stands in its objects.

Whoever may write objects says how large they are. So pages begin small and grow while their answers
are short; one that is longer is let go of, and asked for again with fewer objects. Must not know
what becomes of a page.
"""

from collections.abc import Mapping
from typing import Final

from webhook.answers import TOO_LONG
from webhook.kube import Kube, KubeError, RawDocument

FIRST_PAGE: Final = 50
_LARGEST_PAGE: Final = 500
# Of JSON, which takes up to twenty times that once it is parsed. One object alone is not bounded
# by this, but by what an API server stores.
PAGE_BYTES: Final = 4 << 20
_LIST_S: Final = 60.0
_FEWER: Final = 4
_MORE: Final = 2


class Listing:
    """Fetches the pages of one list, from its beginning."""

    def __init__(
        self,
        kube: Kube,
        path: str,
        selectors: Mapping[str, str],
        first: int = FIRST_PAGE,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        self._kube = kube
        self._path = path
        self._selectors = dict(selectors)
        self._limit = first
        self._page_bytes = page_bytes

    def fetch(self, continuation: str = "") -> RawDocument:
        """The first page, or the one at which the one before has pointed."""
        while True:
            try:
                return self._fetch(continuation)
            except KubeError as error:
                # One object alone can be too long for who allows less than an API server stores.
                if error.reason != TOO_LONG or self._limit == 1:
                    raise
                self._limit = max(1, self._limit // _FEWER)

    def _fetch(self, continuation: str) -> RawDocument:
        query = {**self._selectors, "limit": str(self._limit)}
        if continuation:
            query["continue"] = continuation
        kube = self._kube
        if self._limit > 1:
            kube = kube.for_at_most(_LIST_S, self._page_bytes)
        answer = kube.request("GET", self._path, query=query, timeout_s=_LIST_S)
        if answer.length < self._page_bytes // _FEWER:
            self._limit = min(_LARGEST_PAGE, self._limit * _MORE)
        return answer.document
