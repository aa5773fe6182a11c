"""Owns the guard on what makes a namespace's boundary: its labels and annotations (attack 63).

It has no namespaceSelector: one does not fire on the very update that removes its label. Must not
look at anything else of a namespace.
"""

from webhook.guards.policy import Guard, Rule, Validation, is_admin, is_controller
from webhook.guards.settings import GuardSettings

_OURS = "key.startsWith('mca.io/')"
_POD_SECURITY = "key.startsWith('pod-security.kubernetes.io/')"


def guard_namespace_labels(settings: GuardSettings) -> Guard:
    """Compares old and new, `/status` and `/finalize` too: both can change labels."""
    return Guard(
        name="mca-namespace-labels",
        everywhere=True,
        rules=(
            Rule(("CREATE", "UPDATE"), ("namespaces",)),
            Rule(("UPDATE",), ("namespaces/status", "namespaces/finalize")),
        ),
        variables={
            "trusted": f"{is_admin(settings)} || {is_controller(settings)}",
            "labels": "object.metadata.?labels.orValue({})",
            "annotations": "object.metadata.?annotations.orValue({})",
            "oldLabels": _old("labels"),
            "oldAnnotations": _old("annotations"),
            "isOurs": f"variables.oldLabels.exists(key, {_OURS})",
        },
        validations=(
            Validation(
                f"variables.trusted || ({_unchanged('labels', _OURS)})",
                "labels mca.io/... of a namespace are set by its admins only: leave them as they "
                "are, or ask an admin whom MCA's guards name",
            ),
            Validation(
                f"variables.trusted || ({_unchanged('annotations', _OURS)})",
                "annotations mca.io/... of a namespace are set by its admins only: leave them as "
                "they are, or ask an admin whom MCA's guards name",
            ),
            Validation(
                "variables.trusted || !variables.isOurs || "
                f"({_unchanged('labels', _POD_SECURITY)})",
                "labels pod-security.kubernetes.io/... of a namespace with MCA are set by its "
                "admins only: leave them as they are, or ask an admin whom MCA's guards name",
            ),
            # Also of admins: without it, what a pod may share with the node is not held back.
            # Not on an update that leaves it so, or nothing could be mended there.
            Validation(
                """
                variables.labels[?'mca.io/boundary'] != optional.of('enforced') ||
                variables.labels[?'pod-security.kubernetes.io/enforce'].orValue('')
                  in ['baseline', 'restricted'] ||
                (variables.oldLabels[?'mca.io/boundary'] == optional.of('enforced') &&
                 !(variables.oldLabels[?'pod-security.kubernetes.io/enforce'].orValue('')
                   in ['baseline', 'restricted']))
                """,
                "a namespace with mca.io/boundary: enforced needs Pod Security too: set the label "
                "pod-security.kubernetes.io/enforce to baseline or restricted together with it",
            ),
            Validation(
                """
                variables.labels[?'mca.io/boundary'].orValue('enforced') == 'enforced' ||
                variables.labels[?'mca.io/boundary'] == variables.oldLabels[?'mca.io/boundary']
                """,
                "the label mca.io/boundary has one value, enforced: set that, or remove the label",
            ),
        ),
    )


def _old(field: str) -> str:
    return f"oldObject == null ? {{}} : oldObject.metadata.?{field}.orValue({{}})"


def _unchanged(field: str, matches: str) -> str:
    """CEL: whether every matching key is what it was, in both directions."""
    old = f"variables.old{field.capitalize()}"
    new = f"variables.{field}"
    return (
        f"{new}.all(key, !{matches} || {old}[?key] == optional.of({new}[key])) && "
        f"{old}.all(key, !{matches} || key in {new})"
    )
