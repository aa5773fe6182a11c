"""Owns the form of a guard: one ValidatingAdmissionPolicy and the binding that puts it to work.

Must not know what any guard guards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook.admission.names import LABEL_BOUNDARY
from webhook.guards.settings import GuardSettings, write_strings

_API = "admissionregistration.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests that a guard looks at: `resources` of one API group.

    Other versions of them match by `matchPolicy`. A star matches more, and has no types checked.
    """

    operations: tuple[str, ...]
    resources: tuple[str, ...]
    group: str = ""
    version: str = "v1"

    def manifest(self) -> dict[str, Any]:
        """As it stands in matchConstraints."""
        return {
            "apiGroups": [self.group],
            "apiVersions": [self.version],
            "operations": list(self.operations),
            "resources": list(self.resources),
        }


@dataclass(frozen=True, slots=True)
class Validation:
    """What must be true, and what is said where it is not.

    `message` may have a CEL expression in `found`, whose value is put behind it.
    """

    expression: str
    message: str
    found: str = ""

    def manifest(self) -> dict[str, Any]:
        """As it stands in validations; the plain message serves where the other cannot be made."""
        shown: dict[str, Any] = {
            "expression": _fold(self.expression),
            "message": self.message,
            "reason": "Forbidden",
        }
        if self.found:
            quoted = self.message.replace("\\", "\\\\").replace("'", "\\'")
            shown["messageExpression"] = f"'{quoted} (found: ' + ({_fold(self.found)}) + ')'"
        return shown


@dataclass(frozen=True, slots=True)
class Guard:
    """`variables` are evaluated lazily and may use those before them.

    `conditions` are for cheap questions that spare most requests; they see no variables.
    `everywhere` is for what must be seen where no label of the namespace says so.
    """

    name: str
    rules: Sequence[Rule]
    validations: Sequence[Validation]
    variables: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    everywhere: bool = False

    def manifests(self) -> list[dict[str, Any]]:
        """The policy and its binding. In doubt, or where CEL fails, the request is refused."""
        constraints: dict[str, Any] = {
            "matchPolicy": "Equivalent",
            "resourceRules": [rule.manifest() for rule in self.rules],
        }
        if not self.everywhere:
            constraints["namespaceSelector"] = {"matchLabels": {LABEL_BOUNDARY: "enforced"}}
        spec: dict[str, Any] = {"failurePolicy": "Fail", "matchConstraints": constraints}
        if self.conditions:
            spec["matchConditions"] = _name(self.conditions)
        if self.variables:
            spec["variables"] = _name(self.variables)
        spec["validations"] = [validation.manifest() for validation in self.validations]
        metadata = {"name": self.name, "labels": {"app.kubernetes.io/name": "mca"}}
        return [
            {
                "apiVersion": _API,
                "kind": "ValidatingAdmissionPolicy",
                "metadata": metadata,
                "spec": spec,
            },
            {
                "apiVersion": _API,
                "kind": "ValidatingAdmissionPolicyBinding",
                "metadata": metadata,
                "spec": {"policyName": self.name, "validationActions": ["Deny"]},
            },
        ]


def is_admin(settings: GuardSettings) -> str:
    """CEL: whether an admin of the list makes the request."""
    users = write_strings(settings.admin_users)
    groups = write_strings(settings.admin_groups)
    return (
        f"request.userInfo.username in {users} || "
        f"request.userInfo.?groups.orValue([]).exists(group, group in {groups})"
    )


def is_controller(settings: GuardSettings) -> str:
    """CEL: whether one of MCA's own accounts makes the request."""
    return f"request.userInfo.username in {write_strings(settings.controllers)}"


def _name(expressions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "expression": _fold(text)} for name, text in expressions.items()]


def _fold(expression: str) -> str:
    """One line: indentation is the source's, not CEL's. Literals hold spaces, but no line break."""
    return " ".join(filter(None, map(str.strip, expression.splitlines())))
