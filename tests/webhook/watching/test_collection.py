"""Keys of objects, and what metrics call a collection."""

import pytest

from webhook.kube import RawDocument
from webhook.watching.collection import Collection, key_of


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ({"metadata": {"name": "a"}}, "a"),
        ({"metadata": {"name": "a", "namespace": "n"}}, "n/a"),
        ({"metadata": {"name": "a", "namespace": ""}}, "a"),
        ({}, "None"),
    ],
)
def test_key(raw: RawDocument, key: str) -> None:
    assert key_of(raw) == key


@pytest.mark.parametrize(
    ("path", "query", "resource"),
    [
        ("/api/v1/namespaces", (), "namespaces"),
        ("/apis/mca.io/v1alpha1/routes", (("labelSelector", "a=b"),), "routes"),
        ("/api/v1/configmaps", (("fieldSelector", "metadata.name=x"),), "configmaps/x"),
    ],
)
def test_resource(path: str, query: tuple[tuple[str, str], ...], resource: str) -> None:
    assert Collection(path, dict, query).resource == resource
