"""Owns the schemas of what a tenant's pods may do: permissions, cluster resources, limits.

Must not decide.
"""

from webhook.resources.meta import RawDocument
from webhook.resources.schemas.forms import array, choice, fields, rule, text, whole
from webhook.resources.schemas.selectors import (
    METHODS,
    VERBS,
    callers,
    groups,
    objects,
    paths,
    resources,
    verbs,
)

_MAX_CALLS = 1_000_000
# Not a number: those without a name are called by theirs.
_LETTER_FIRST = "^[a-z]([a-z0-9.-]*[a-z0-9])?$"
_RULE_NAME = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"


def permission() -> RawDocument:
    words = ", ".join(f"'{verb}'" for verb in ("*", *VERBS))
    methods = ", ".join(f"'{method}'" for method in ("*", *METHODS))
    return fields(
        "One rule, on resources, or on paths that are none.",
        {
            "name": _name(),
            "effect": choice("Whether it allows or denies.", "allow", "deny"),
            "verbs": verbs(
                "Verbs, or HTTP methods in lower case with nonResourcePaths.",
                (*VERBS, *METHODS),
            ),
            "groups": groups(),
            "resources": resources(),
            **objects(),
            **callers(),
            "nonResourcePaths": paths(),
        },
        ("name", "effect", "verbs"),
        rule(
            "has(self.nonResourcePaths) ? !has(self.groups) && !has(self.resources) && "
            "!has(self.namespaces) && !has(self.names) : has(self.groups) && has(self.resources)",
            "names either groups and resources, or nonResourcePaths",
        ),
        rule(
            f"self.verbs.all(v, v in (has(self.nonResourcePaths) ? [{methods}] : [{words}]))",
            f"must be * or {', '.join(VERBS)}; with nonResourcePaths * or {', '.join(METHODS)}",
            path=".verbs",
        ),
    )


def cluster_resources() -> RawDocument:
    """Kinds without namespaces."""
    listed = array("Kinds without namespaces that they may reach.", _cluster_resource(), 200)
    return listed | {
        "x-kubernetes-validations": [
            rule(
                "self.all(a, !has(a.name) || "
                "self.filter(b, has(b.name) && b.name == a.name).size() == 1)",
                "names are unique",
            )
        ]
    }


def _cluster_resource() -> RawDocument:
    return fields(
        "Objects without a namespace.",
        {
            "name": text(
                "Its name; left out: its place in the list.", most=63, pattern=_LETTER_FIRST
            ),
            "verbs": verbs("Verbs, of which one must be the call's."),
            "groups": groups(),
            "resources": resources(),
            "names": objects()["names"],
        },
        ("verbs", "groups", "resources"),
    )


def limits() -> RawDocument:
    rate = fields(
        "How often each container may make such calls.",
        {
            "verbs": verbs("Verbs; all if left out."),
            "groups": groups(),
            "resources": resources(),
            "perSecond": {
                "description": "So many a second, in the long run.",
                "type": "number",
                # A bound of the schema would be cut to a whole number for a whole number: to 0.
                "x-kubernetes-validations": [
                    rule("self >= 0.001", f"must be from 0.001 to {_MAX_CALLS}")
                ],
                "maximum": _MAX_CALLS,
            },
            "burst": whole("So many at once.", 1, _MAX_CALLS),
        },
        ("perSecond", "burst"),
    )
    return fields(
        "For each container; calls beyond get 429.",
        {
            "concurrentRequests": whole("At once; 0: without limit.", 0, _MAX_CALLS),
            "watches": whole("At once; 0: without limit.", 0, _MAX_CALLS),
            "rates": array("For kinds of calls.", rate, 64),
        },
    )


def _name() -> RawDocument:
    return text("Its name, which denials and the audit log tell.", most=63, pattern=_RULE_NAME)
