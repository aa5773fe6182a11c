"""Owns how one object gets into the cluster: by server-side apply, tried as a dry run before.

Must not know what is installed, nor in which order.
"""

import time
from http import HTTPStatus
from typing import Any, Final

from webhook.admission.outcome import RawObject
from webhook.cli.install.objects_there import MANAGER, METADATA_ONLY
from webhook.cli.install.paths import OPERATORS, find_path
from webhook.kube import Kube, KubeError

_APPLY: Final = "application/apply-patch+yaml"
_JSON: Final = "application/json"
# A server that is busy or starts again; applying twice is as applying once.
PASSING: Final = (0, 429, 500, 502, 503, 504)
_ATTEMPTS: Final = 4
_PAUSE_S: Final = 1.0
_OF_METADATA: Final = ("generation", "labels", "annotations")
# What every write of an object changes.
_VOLATILE: Final = ("managedFields", "resourceVersion", "generation")


def fetch_metadata(kube: Kube, document: RawObject) -> RawObject | None:
    """Of the object that is there now; None if there is none."""
    found = _fetch(kube, document, METADATA_ONLY)
    return None if found is None else dict(found["metadata"])


def try_object(kube: Kube, document: RawObject, *, force: bool) -> str:
    """What applying it would come to: created, configured or unchanged. KubeError: it is refused.

    Of Secrets only metadata is compared: their values are nothing to us.
    """
    accept = METADATA_ONLY if document["kind"] == "Secret" else _JSON
    before = _fetch(kube, document, accept)
    after = _patch(kube, document, accept, force=force, dry=True)
    if before is None:
        return "created"
    return "unchanged" if _strip(before) == _strip(after) else "configured"


def apply_object(kube: Kube, document: RawObject, *, force: bool) -> str:
    """Apply it; created, configured or unchanged. KubeError: it is refused."""
    before = fetch_metadata(kube, document)
    after = _patch_patiently(kube, document, force=force)
    if before is None:
        return "created"
    return "unchanged" if _is_same(before, after["metadata"]) else "configured"


def explain_refusal(document: RawObject, error: KubeError) -> tuple[str, str]:
    """What is wrong, and what to do."""
    group = document["apiVersion"].rpartition("/")[0]
    if error.status == HTTPStatus.NOT_FOUND and group in OPERATORS:
        return (
            f"the cluster has no {document['kind']} of {group}",
            f"install {OPERATORS[group]} first, or leave that option out",
        )
    causes = [str(cause.get("message")) for cause in error.details.get("causes") or ()]
    if error.status == HTTPStatus.CONFLICT and causes:
        fields = [str(cause.get("field")) for cause in error.details["causes"]]
        owners = sorted(set(causes))
        return (
            f"{'; '.join(owners)}: {', '.join(fields[:5])}",
            "somebody else has set these fields otherwise: leave them to MCA, or take them over "
            "with --force-conflicts",
        )
    if error.status == HTTPStatus.FORBIDDEN and _is_about_rights(str(error)):
        return str(error), "run this as a cluster's admin, one whom MCA's guards name"
    if error.status == 0:
        return str(error), "see that the API server can be reached from here"
    return str(error), "mend that, and run the same command again"


def _is_about_rights(message: str) -> bool:
    """Quotas, ending namespaces and other policies answer with 403, too."""
    return " cannot " in message or "ValidatingAdmissionPolicy 'mca-" in message


def _fetch(kube: Kube, document: RawObject, accept: str) -> RawObject | None:
    try:
        return kube.request("GET", find_path(document), accept=accept).document
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def _patch(kube: Kube, document: RawObject, accept: str, *, force: bool, dry: bool) -> RawObject:
    query = {"fieldManager": MANAGER, "force": str(force).lower(), "fieldValidation": "Strict"}
    if dry:
        query["dryRun"] = "All"
    answer = kube.request(
        "PATCH",
        find_path(document),
        document,
        query=query,
        content_type=_APPLY,
        accept=accept,
    )
    return answer.document


def _patch_patiently(kube: Kube, document: RawObject, *, force: bool) -> RawObject:
    for attempt in range(1, _ATTEMPTS):
        try:
            return _patch(kube, document, METADATA_ONLY, force=force, dry=False)
        except KubeError as error:
            if error.status not in PASSING:
                raise
        time.sleep(_PAUSE_S * attempt)
    return _patch(kube, document, METADATA_ONLY, force=force, dry=False)


def _is_same(before: RawObject, after: RawObject) -> bool:
    """By its version, or by what the server counts: a write may be about who owns a field."""
    if before["resourceVersion"] == after["resourceVersion"]:
        return True
    counted = before.get("generation")
    return bool(counted) and all(before.get(key) == after.get(key) for key in _OF_METADATA)


def _strip(document: RawObject) -> dict[str, Any]:
    metadata = {key: value for key, value in document["metadata"].items() if key not in _VOLATILE}
    return {**document, "metadata": metadata}
