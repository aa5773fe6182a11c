"""Pages of a real API server's lists: many small objects at once, few large ones."""

from collections.abc import Iterator
from itertools import chain

import pytest

from tests.controlplane import ControlPlane
from webhook.answers import TOO_LONG
from webhook.kube import Kube, KubeError, RawDocument, open_kubeconfig
from webhook.watching.listing import Listing

MAPS = "/api/v1/namespaces/{}/configmaps"
NO_ROOT = {"fieldSelector": "metadata.name!=kube-root-ca.crt"}
LETTERS = 30_000


@pytest.fixture
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    opened = open_kubeconfig(path=str(control_plane.admin_kubeconfig()))
    yield opened
    opened.close()


def fill(plane: ControlPlane, namespace: str, *letters: int) -> str:
    """ConfigMaps in a namespace, with so many letters each."""
    plane.create_namespace(namespace)
    path = MAPS.format(namespace)
    for number, count in enumerate(letters):
        document = {"metadata": {"name": f"m{number:02}"}, "data": {"text": "x" * count}}
        plane.create(path, document)
    return path


def list_pages(listing: Listing) -> list[list[str]]:
    """The names on each page."""
    pages, page = [], listing.fetch()
    while True:
        pages.append(list_names(page))
        rest = page["metadata"].get("continue")
        if not rest:
            return pages
        page = listing.fetch(rest)


def list_names(page: RawDocument) -> list[str]:
    return [raw["metadata"]["name"] for raw in page["items"]]


def test_pages_grow_while_they_are_short(control_plane: ControlPlane, kube: Kube) -> None:
    path = fill(control_plane, "listing-short", *[1] * 9)
    pages = list_pages(Listing(kube, path, NO_ROOT, first=1))
    assert [len(page) for page in pages] == [1, 2, 4, 2]
    assert [*chain(*pages)] == [f"m{number:02}" for number in range(9)]


def test_pages_of_large_objects_are_small_and_nothing_is_left_out(
    control_plane: ControlPlane, kube: Kube
) -> None:
    """Also where the objects get large only after many small ones."""
    path = fill(control_plane, "listing-large", *[1] * 6, *[LETTERS] * 6)
    listing = Listing(kube, path, NO_ROOT, first=2, page_bytes=3 * LETTERS)
    pages = list_pages(listing)
    assert [*chain(*pages)] == [f"m{number:02}" for number in range(12)]
    # Six of them were asked for, were too much, and two were taken.
    assert [len(page) for page in pages] == [2, 4, 2, 2, 2]


def test_an_object_that_is_more_than_a_page_alone(control_plane: ControlPlane, kube: Kube) -> None:
    path = fill(control_plane, "listing-one", 1, 5 * LETTERS, 1)
    pages = list_pages(Listing(kube, path, NO_ROOT, first=3, page_bytes=LETTERS))
    assert [*chain(*pages)] == ["m00", "m01", "m02"]


def test_who_allows_less_than_one_object_is_told(control_plane: ControlPlane, kube: Kube) -> None:
    path = fill(control_plane, "listing-less", 1, 5 * LETTERS)
    sparing = kube.for_at_most(20, LETTERS)
    with pytest.raises(KubeError) as told:
        list_pages(Listing(sparing, path, NO_ROOT, first=2, page_bytes=LETTERS))
    assert told.value.reason == TOO_LONG


def test_other_failures_are_told(kube: Kube) -> None:
    with pytest.raises(KubeError) as told:
        Listing(kube, "/apis/absent.example/v1/things", {}).fetch()
    assert told.value.status == 404
