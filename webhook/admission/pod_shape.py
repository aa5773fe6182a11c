"""Owns the check that a pod has the form that injection reads: the right kinds of values.

Must not judge what they say. The API server has checked what it sends; files have not been.
"""

from typing import Any, Final

_STRINGS: Final = "a map of strings"
# Of each key: whether it must be there, and the form of its value.
_Form = dict[str, tuple[bool, Any]]


def _form(**keys: Any) -> _Form:
    return {key: (False, inner) for key, inner in keys.items()}


def _needs(**keys: Any) -> _Form:
    return {key: (True, inner) for key, inner in keys.items()}


_NAMED: Final = _needs(name=str)
_SECRET: Final = _form(name=str)
_SECURITY: Final = _form(
    privileged=bool, procMount=str, runAsUser=int, capabilities=_form(add=[str])
)
_SOURCES: Final = _form(secretKeyRef=_SECRET, fileKeyRef=_form(volumeName=str))
_POD_SECURITY: Final = _SECURITY | _form(sysctls=[_NAMED | _form(value=str)])
_CONTAINER: Final = _NAMED | _form(
    env=[_NAMED | _form(value=str, valueFrom=_SOURCES)],
    envFrom=[_form(secretRef=_SECRET)],
    volumeMounts=[_needs(name=str, mountPath=str) | _form(subPathExpr=str)],
    volumeDevices=[_NAMED],
    ports=[_form(containerPort=int, protocol=str)],
    resources=_form(requests={}, limits={}),
    imagePullPolicy=str,
    securityContext=_SECURITY,
)
_PROJECTED: Final = _form(
    serviceAccountToken=_form(audience=str), secret=_SECRET, podCertificate=_form(signerName=str)
)
_VOLUME: Final = _NAMED | _form(secret=_form(secretName=str), projected=_form(sources=[_PROJECTED]))
_POD: Final = _form(metadata=_form(annotations=_STRINGS)) | _needs(
    spec=_needs(containers=[_CONTAINER])
    | _form(
        initContainers=[_CONTAINER],
        ephemeralContainers=[_CONTAINER],
        volumes=[_VOLUME],
        nodeSelector=_STRINGS,
        os=_form(name=str),
        automountServiceAccountToken=bool,
        hostNetwork=bool,
        hostPID=bool,
        hostIPC=bool,
        shareProcessNamespace=bool,
        priority=int,
        priorityClassName=str,
        securityContext=_POD_SECURITY,
        hostAliases=[_form(ip=str, hostnames=[str])],
    )
)
_WORDS: Final[dict[Any, str]] = {str: "a string", bool: "true or false", int: "a whole number"}


def find_problem(pod: object) -> str:
    """What is wrong with the form, with its path; empty when nothing is."""
    if not isinstance(pod, dict):
        return "the pod is not an object"
    return _find(pod, _POD).removeprefix(".")


def _find(value: object, form: Any) -> str:
    """The path from here on, and what is wrong there."""
    if isinstance(form, dict):
        return _find_in_object(value, form)
    if isinstance(form, list):
        return _find_in_list(value, form[0])
    if form is _STRINGS:
        right = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
        return "" if right else f" is not {_STRINGS}"
    right = isinstance(value, form) and not (form is int and isinstance(value, bool))
    return "" if right else f" is not {_WORDS[form]}"


def _find_in_list(value: object, form: Any) -> str:
    if not isinstance(value, list):
        return " is not a list"
    find = _find_in_object if isinstance(form, dict) else _find
    for index, item in enumerate(value):
        if problem := " is null" if item is None else find(item, form):
            return f"[{index}]{problem}"
    return ""


def _find_in_object(value: object, form: _Form) -> str:
    if not isinstance(value, dict):
        return " is not an object"
    for name, (needed, inner) in form.items():
        there = value.get(name)
        if there is None:  # null is as good as nothing
            if needed:
                return f".{name} is missing"
        # JSON's strings, booleans and numbers are of these very types: most go no further.
        elif type(there) is not inner and (problem := _find(there, inner)):
            return f".{name}{problem}"
    return ""
