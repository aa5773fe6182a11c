"""Owns what checks look at: objects as they were fetched, and what calls tried out came to.

Must not fetch: fetching.py does. Must not judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from webhook.admission.environment import ServerSettings, parse_environment
from webhook.admission.outcome import RawObject
from webhook.cli.check.finding import UndecidedError
from webhook.install.names import WEBHOOK

_IMAGE_VARIABLE = "MCA_SIDECAR_IMAGE"


class Fetched(NamedTuple):
    """An object or a list of them, that there is none, or why nobody knows."""

    document: RawObject | None = None
    problem: str = ""

    def read(self) -> RawObject | None:
        """None where it is not there."""
        if self.problem:
            raise UndecidedError(self.problem)
        return self.document

    def items(self) -> list[RawObject]:
        """Of a list."""
        document = self.read()
        return list(document["items"]) if document else []


class Attempt(NamedTuple):
    """A call that was tried as a dry run; `document` is what would be stored."""

    status: int = 0
    document: RawObject | None = None
    message: str = ""
    warnings: tuple[str, ...] = ()


class Right(NamedTuple):
    """Something that an account of ours may do, or not."""

    verb: str
    resource: str
    group: str = ""
    name: str = ""
    namespace: str = ""
    account: str = WEBHOOK

    def __str__(self) -> str:
        subject = f"{self.resource}.{self.group}" if self.group else self.resource
        subject += f"/{self.name}" if self.name else ""
        return f"{self.verb} {subject}" + (f" in {self.namespace}" if self.namespace else "")


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """One namespace with pods; `attempt` is a pod that was tried there, `policy` its snapshot."""

    name: str
    namespace: Fetched
    pods: Fetched
    token_secrets: Fetched
    root_ca: Fetched
    services: Fetched
    attempt: Attempt
    policy: Fetched = field(default_factory=Fetched)


@dataclass(frozen=True, slots=True)
class ControllerFacts:
    """What tells of the controller; `lease` is held by the replica that writes."""

    deployment: Fetched
    pods: Fetched
    endpoints: Fetched
    lease: Fetched
    definitions: Fetched


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything at one time, `now`; `system` is MCA's own namespace.

    `objects` are those of the installation by what they are called; `rights` are what its accounts
    need, `excesses` what they must not have. `page` is tried where no namespace is.
    `unlisted` says why nobody knows which namespaces are labelled.
    """

    now: datetime
    system: str
    version: RawObject
    admission_kinds: Fetched
    namespace: Fetched
    deployment: Fetched
    pods: Fetched
    endpoints: Fetched
    genuine_ca: Fetched
    registration: Fetched
    policies: Fetched
    bindings: Fetched
    flow_schemas: Fetched
    controller: ControllerFacts
    objects: Mapping[str, Fetched] = field(default_factory=dict)
    rights: Mapping[Right, bool | str] = field(default_factory=dict)
    excesses: Mapping[Right, bool | str] = field(default_factory=dict)
    labelling: Attempt | None = None
    page: Attempt | None = None
    namespaces: tuple[NamespaceFacts, ...] = ()
    unlisted: str = ""

    def settings(self) -> ServerSettings | tuple[str, ...] | None:
        """What the webhook was told, as it reads it; what is wrong with that; None without one."""
        environment = read_environment(self.deployment.read())
        return None if environment is None else parse_environment(environment)


def read_environment(deployment: RawObject | None) -> dict[str, str] | None:
    """The plain variables of the container that serves the webhook."""
    if deployment is None:
        return None
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        variables = {item["name"]: item.get("value") or "" for item in container.get("env") or ()}
        if _IMAGE_VARIABLE in variables:
            return {name: text for name, text in variables.items() if text}
    return {}
