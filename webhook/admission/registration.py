"""Owns how the webhook is registered: which pods of which namespaces reach which of its paths.

Must not talk to a cluster. A namespace's labels choose the path, so the webhook need not read
namespaces, and has no right to.
"""

from typing import Any, Final

from webhook.admission.names import LABEL_BOUNDARY, LABEL_INJECTION, LABEL_OPT_OUT
from webhook.admission.outcome import Namespace

NAME: Final = "mca"
# What each path stands for.
MODES: Final = {
    "enforced": Namespace(enabled=True, enforced=True, opt_out=False),
    "optional": Namespace(enabled=True, enforced=False, opt_out=True),
    "standard": Namespace(enabled=True, enforced=False, opt_out=False),
}
SPARED: Final = ("kube-system", "kube-public", "kube-node-lease")
_NAME_LABEL: Final = "kubernetes.io/metadata.name"
_TIMEOUT_S: Final = 5

RawDocument = dict[str, Any]


def find_path(mode: str) -> str:
    """Where reviews of such namespaces go."""
    return f"/inject/{mode}"


def build_registration(
    address: dict[str, Any], ca_bundle: str, spared: tuple[str, ...]
) -> RawDocument:
    """The MutatingWebhookConfiguration.

    `address` is `{"url": "https://…"}` or `{"service": {…}}`, without the path; `ca_bundle` is
    base64; `spared` are MCA's own namespaces. Spared by name, not by a label: whoever makes a
    namespace chooses its labels, and a webhook that is down must not hold back its own restart.
    """
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": NAME}},
        "webhooks": [
            {
                "name": f"{mode}.inject.mca.io",
                "clientConfig": {**_at(address, find_path(mode)), "caBundle": ca_bundle},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                        "scope": "Namespaced",
                    }
                ],
                "namespaceSelector": {
                    "matchExpressions": [
                        _expression(_NAME_LABEL, "NotIn", *SPARED, *spared),
                        *_select(mode),
                    ]
                },
                "failurePolicy": "Fail",
                "matchPolicy": "Equivalent",
                # Once more if another webhook changed the pod after us.
                "reinvocationPolicy": "IfNeeded",
                "sideEffects": "None",
                "timeoutSeconds": _TIMEOUT_S,
                "admissionReviewVersions": ["v1"],
            }
            for mode in MODES
        ],
    }


def _select(mode: str) -> list[RawDocument]:
    if mode == "enforced":
        return [_expression(LABEL_BOUNDARY, "In", "enforced")]
    opt_out = "In" if mode == "optional" else "NotIn"
    return [
        _expression(LABEL_INJECTION, "In", "enabled"),
        _expression(LABEL_BOUNDARY, "NotIn", "enforced"),
        _expression(LABEL_OPT_OUT, opt_out, "allowed"),
    ]


def _expression(key: str, operator: str, *values: str) -> RawDocument:
    return {"key": key, "operator": operator, "values": list(values)}


def _at(address: dict[str, Any], path: str) -> RawDocument:
    if "url" in address:
        return {"url": address["url"] + path}
    return {"service": {**address["service"], "path": path}}
