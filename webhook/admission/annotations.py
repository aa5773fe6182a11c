"""Owns what a pod's own annotations may say: they tune its sidecar or tighten, and widen nothing.

Must not look at anything else of the pod. There is no annotation for the image: that would let
whoever makes pods choose what reads the service account's token.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from webhook.admission.names import (
    ANNOTATION_PREFIX,
    ANNOTATIONS,
    CAPTURE,
    CONTAINERS,
    CPU_LIMIT,
    CPU_REQUEST,
    INJECT,
    LOG_LEVEL,
    MEMORY_LIMIT,
    MEMORY_REQUEST,
    PORTS,
    is_ours,
)
from webhook.admission.quantities import parse_amount
from webhook.admission.settings import InjectionSettings, Resources

API_PORT: Final = 6443
ADMIN_PORT: Final = 6444
_LEVELS: Final = ("debug", "info", "warning", "error")
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_PORT: Final = re.compile(r"[1-9][0-9]{3,4}", re.ASCII)
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535  # below, the sidecar's uid could not bind


class Tuning(NamedTuple):
    """What is left of the annotations and the settings together."""

    opted_out: bool
    containers: frozenset[str] | None  # None: all of them
    captures_names: bool
    api_port: int
    admin_port: int
    log_level: str
    resources: Resources


def parse_annotations(annotations: Mapping[str, str], settings: InjectionSettings) -> Tuning:
    """Read them; ValueError names the annotation and says what to write."""
    for name in annotations:
        if name.startswith(ANNOTATION_PREFIX) and name not in ANNOTATIONS:
            raise ValueError(
                f"{name}: pods have no such annotation; there are {', '.join(ANNOTATIONS)}"
            )
    api_port, admin_port = _parse_ports(annotations.get(PORTS))
    return Tuning(
        opted_out=_parse_inject(annotations.get(INJECT)),
        containers=_parse_containers(annotations.get(CONTAINERS)),
        captures_names=_parse_capture(annotations.get(CAPTURE)),
        api_port=api_port,
        admin_port=admin_port,
        log_level=_parse_level(annotations.get(LOG_LEVEL, settings.log_level)),
        resources=_parse_resources(annotations, settings.resources),
    )


def _parse_inject(text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise ValueError(f'{INJECT}: {text!r} is neither "true" nor "false"')
    return text == "false"


def _parse_containers(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    for name in names:
        if _NAME.fullmatch(name) is None or is_ours(name):
            raise ValueError(
                f"{CONTAINERS}: {name!r} is not the name of an application's container;"
                " write names separated by commas, or nothing for none"
            )
    return frozenset(names)


def _parse_capture(text: str | None) -> bool:
    """Whether by name too. Never by name alone: the variables lead past the sidecar otherwise."""
    ways = sorted(way.strip() for way in (text or "env").split(","))
    if ways not in (["env"], ["dns", "env"]):
        raise ValueError(f'{CAPTURE}: {text!r} is neither "env" nor "env,dns"')
    return "dns" in ways


def _parse_ports(text: str | None) -> tuple[int, int]:
    if text is None:
        return API_PORT, ADMIN_PORT
    ports = [int(port) for port in text.split(",") if _PORT.fullmatch(port)]
    in_range = all(_LOWEST_PORT <= port <= _HIGHEST_PORT for port in ports)
    if text.count(",") != 1 or len(set(ports)) != 2 or not in_range:
        raise ValueError(
            f"{PORTS}: {text!r} is not two ports; write that of the API and that of the admin"
            f" pages, both from {_LOWEST_PORT} to {_HIGHEST_PORT}: 7443,7444"
        )
    return ports[0], ports[1]


def _parse_level(text: str) -> str:
    if text not in _LEVELS:
        raise ValueError(f"{LOG_LEVEL}: {text!r} is none of {', '.join(_LEVELS)}")
    return text


def _parse_resources(annotations: Mapping[str, str], usual: Resources) -> Resources:
    resources = Resources(
        annotations.get(CPU_REQUEST, usual.cpu_request),
        annotations.get(MEMORY_REQUEST, usual.memory_request),
        annotations.get(CPU_LIMIT, usual.cpu_limit),
        annotations.get(MEMORY_LIMIT, usual.memory_limit),
    )
    for name in (CPU_REQUEST, MEMORY_REQUEST, CPU_LIMIT, MEMORY_LIMIT):
        if name in annotations and not parse_amount(annotations[name]):
            raise ValueError(f"{name}: {annotations[name]!r} is not a quantity; write 20m or 48Mi")
    _check_order(CPU_REQUEST, resources.cpu_request, CPU_LIMIT, resources.cpu_limit)
    _check_order(MEMORY_REQUEST, resources.memory_request, MEMORY_LIMIT, resources.memory_limit)
    return resources


def _check_order(request_name: str, request: str, limit_name: str, limit: str) -> None:
    if limit and (parse_amount(request) or Decimal(0)) > (parse_amount(limit) or Decimal(0)):
        raise ValueError(f"{request_name}: {request} is more than {limit_name} {limit}; raise that")
