"""Owns the finalizer that a Tenant has while anything is made for it.

Must not know what is made, nor whether it is gone.
"""

from http import HTTPStatus

from webhook.kube import MERGE_PATCH, Kube, KubeError
from webhook.resources.meta import Meta
from webhook.resources.names import FINALIZER, object_path


def sign(kube: Kube, meta: Meta) -> None:
    """Before anything is made, so that nothing is left behind."""
    if FINALIZER not in meta.finalizers:
        _patch(kube, meta, [*meta.finalizers, FINALIZER])


def release(kube: Kube, meta: Meta) -> None:
    """It may go."""
    try:
        _patch(kube, meta, [name for name in meta.finalizers if name != FINALIZER])
    except KubeError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _patch(kube: Kube, meta: Meta, finalizers: list[str]) -> None:
    """KubeError: it is not what was read."""
    metadata = {
        "uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": finalizers
    }  # fmt: skip
    path = object_path("Tenant", meta.name)
    kube.request("PATCH", path, {"metadata": metadata}, content_type=MERGE_PATCH)
