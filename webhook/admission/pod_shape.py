"""Owns the check that a pod has the form that injection reads: the right kinds of values.

Must not judge what they say. The API server has checked what it sends; files have not been.
"""

from typing import Any, Final

_STRINGS: Final = "a map of strings"
_SECURITY: Final = {
    "privileged": bool,
    "runAsUser": int,
    "capabilities": {"add": [str]},
}
_SECRET: Final = {"name": str}
_CONTAINER: Final = {
    "!name": str,
    "env": [
        {
            "!name": str,
            "value": str,
            "valueFrom": {
                "secretKeyRef": {"name": str},
                "fileKeyRef": {"volumeName": str},
            },
        }
    ],
    "envFrom": [{"secretRef": _SECRET}],
    "volumeMounts": [{"!name": str, "!mountPath": str, "subPathExpr": str}],
    "volumeDevices": [{"!name": str}],
    "ports": [{"containerPort": int, "protocol": str}],
    "resources": {"requests": {}, "limits": {}},
    "imagePullPolicy": str,
    "securityContext": _SECURITY,
}
_VOLUME: Final = {
    "!name": str,
    "secret": {"secretName": str},
    "projected": {
        "sources": [
            {"serviceAccountToken": {"audience": str}, "secret": _SECRET, "podCertificate": {}}
        ]
    },
}
_POD: Final = {
    "metadata": {"annotations": _STRINGS},
    "!spec": {
        "!containers": [_CONTAINER],
        "initContainers": [_CONTAINER],
        "ephemeralContainers": [_CONTAINER],
        "volumes": [_VOLUME],
        "nodeSelector": _STRINGS,
        "os": {"name": str},
        "automountServiceAccountToken": bool,
        "hostNetwork": bool,
        "hostPID": bool,
        "hostIPC": bool,
        "shareProcessNamespace": bool,
        "securityContext": _SECURITY,
    },
}
_WORDS: Final[dict[Any, str]] = {str: "a string", bool: "true or false", int: "a whole number"}


def find_problem(pod: object) -> str:
    """What is wrong with the form, with its path; empty when nothing is."""
    return _find(pod, _POD, "") if pod is not None else "the pod is null"


def _find(value: object, form: Any, path: str) -> str:
    """A `!` before a key says that it must be there; else null is as good as nothing."""
    if value is None:
        return ""
    if form == _STRINGS:
        return _find_in_strings(value, path)
    if isinstance(form, dict):
        return _find_in_object(value, form, path)
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{path} is not a list"
        found = (_find_item(item, form[0], f"{path}[{i}]") for i, item in enumerate(value))
        return next(filter(None, found), "")
    right = isinstance(value, form) and not (form is int and isinstance(value, bool))
    return "" if right else f"{path} is not {_WORDS[form]}"


def _find_item(value: object, form: Any, path: str) -> str:
    return f"{path} is null" if value is None else _find(value, form, path)


def _find_in_strings(value: object, path: str) -> str:
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return ""
    return f"{path} is not {_STRINGS}"


def _find_in_object(value: object, form: dict[str, Any], path: str) -> str:
    if not isinstance(value, dict):
        return f"{path or 'the pod'} is not an object"
    for key, inner in form.items():
        name = key.lstrip("!")
        where = f"{path}.{name}" if path else name
        if value.get(name) is None and key != name:
            return f"{where} is missing"
        if problem := _find(value.get(name), inner, where):
            return problem
    return ""
