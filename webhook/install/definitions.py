"""Owns how the kinds of MCA are installed: as they are defined, and kept when all else goes.

Must not define one: webhook/resources does.
"""

from typing import Final

from webhook.install.names import OF_CONTROLLER, label
from webhook.install.remarks import RawDocument, Remarked
from webhook.resources.definitions import build_definitions

KIND: Final = "CustomResourceDefinition"
# With a definition go all objects of its kind: Helm leaves these, and so does `mca uninstall`.
_KEPT: Final = {"helm.sh/resource-policy": "keep"}


def build_kept_definitions() -> list[RawDocument]:
    """Before whatever follows such objects."""
    made: list[RawDocument] = []
    for definition in build_definitions():
        metadata = definition["metadata"]
        own = {
            "name": metadata["name"],
            "labels": label(metadata.get("labels") or {}, OF_CONTROLLER),
            "annotations": (metadata.get("annotations") or {}) | _KEPT,
        }
        remark = (
            f"{definition['spec']['names']['plural']}: deleting this deletes every one of them, "
            "so nothing that installs or uninstalls MCA does."
        )
        made.append(Remarked(remark, {**definition, "metadata": own}))
    return made
