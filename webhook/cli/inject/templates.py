"""Owns where pods are described: in which kinds of objects, and where in them.

Must not know what is done with a pod.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from webhook.admission.outcome import RawObject

T = TypeVar("T")

_TEMPLATE: Final = ("spec", "template")
_PATHS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("", "Pod"): (),
    ("", "PodTemplate"): ("template",),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "Job"): _TEMPLATE,
}


def rewrite_pods(content: Any, rewrite: Callable[[str, RawObject], RawObject]) -> Any:
    """The object with each pod in it rewritten; the same object when none of them changed.

    `rewrite` is told what it is of (`Deployment web`) and must not change what it is given.
    """
    if not isinstance(content, dict):
        return content
    kind = content.get("kind")
    items = content.get("items")
    if kind == "List" or (isinstance(kind, str) and kind.endswith("List")):
        if not isinstance(items, list):
            return content
        rewritten = [rewrite_pods(item, rewrite) for item in items]
        unchanged = all(new is old for new, old in zip(rewritten, items, strict=True))
        return content if unchanged else {**content, "items": rewritten}
    group, slash, _ = str(content.get("apiVersion", "")).rpartition("/")
    path = _PATHS.get((group if slash else "", str(kind)))
    return content if path is None else _replace(content, path, _name(content), rewrite)


def _replace(
    value: Any, path: tuple[str, ...], name: str, rewrite: Callable[[str, RawObject], RawObject]
) -> Any:
    if not path:
        return rewrite(name, value)
    key = path[0]
    if not isinstance(value, dict) or not isinstance(value.get(key), dict):
        raise ValueError(  # noqa: TRY004 - what a file says, not how we were called
            f"{name}: {key} is not an object; is this a whole manifest?"
        )
    inner = _replace(value[key], path[1:], name, rewrite)
    return value if inner is value[key] else {**value, key: inner}


def _name(content: RawObject) -> str:
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = metadata.get("name") or f"{metadata.get('generateName') or ''}*"
    return f"{content['kind']} {name}"
