"""Owns the pod that is tried in a namespace as a dry run, and what its answer tells.

Must not send it. It asks for little and runs nowhere: every policy that pods meet should let it in.
"""

import re
from http import HTTPStatus
from typing import Any, Final

from webhook.admission.names import SIDECAR
from webhook.admission.outcome import RawObject
from webhook.cli.check.facts import Attempt
from webhook.cli.check.finding import Finding, Reporter

# Nobody pulls it.
_IMAGE: Final = f"injection-check@sha256:{'0' * 64}"
_OUR_CALL: Final = re.compile(r'failed calling webhook "[a-z]+\.inject\.mca\.io"')
_OUR_DENIAL: Final = re.compile(r'admission webhook "[a-z]+\.inject\.mca\.io" denied')
# What a call failed by, in the API server's words, and what to look at.
_CAUSES: Final = (
    (
        re.compile(r"x509|certificate|tls:"),
        "the API server does not trust its certificate: see ca-bundle above, and "
        "kubectl logs -n {system} deployment/mca-webhook",
    ),
    (
        re.compile(r"no endpoints|not found|connection refused"),
        "no pod of it serves: kubectl get pods,endpointslices -n {system}",
    ),
    (
        re.compile(r"deadline|timeout|no route|unreachable"),
        "packets from the API server do not arrive: look at NetworkPolicies, firewalls between "
        "control plane and nodes (port 8443), and kubectl top pods -n {system}",
    ),
)
_USUAL_CAUSE: Final = "kubectl logs -n {system} deployment/mca-webhook"


def build_trial() -> RawObject:
    """A pod that Pod Security restricted takes, and most quotas."""
    amounts = {"cpu": "10m", "memory": "16Mi"}
    security: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "injection-check-"},
        "spec": {
            # Said here, because a service account may ask for none.
            "automountServiceAccountToken": True,
            "containers": [
                {
                    "name": "app",
                    "image": _IMAGE,
                    "resources": {"requests": amounts, "limits": amounts},
                    "securityContext": security,
                }
            ],
        },
    }


def judge_trial(report: Reporter, attempt: Attempt, image: str, system: str) -> Finding:
    """`image` is what the webhook should have put in, as far as it is known."""
    if attempt.document is not None:
        return _judge_pod(report, attempt, image)
    message = attempt.message
    if attempt.status == HTTPStatus.TOO_MANY_REQUESTS:
        return report.unknown(f"a pod could not be tried: {message}", "run this again in a moment")
    if _OUR_CALL.search(message):
        hint = next((hint for cause, hint in _CAUSES if cause.search(message)), _USUAL_CAUSE)
        return report.fail(f"a pod is refused: {message}", hint.format(system=system))
    if _OUR_DENIAL.search(message) or "'mca-" in message:
        return report.fail(
            f"a plain pod is refused: {message}",
            "the webhook and the guards must be of one release: run `mca install` again",
        )
    return report.unknown(
        f"a pod could not be tried: {message}",
        "run this as somebody who may create pods there; or something else refuses pods there",
    )


def _judge_pod(report: Reporter, attempt: Attempt, image: str) -> Finding:
    spec = (attempt.document or {})["spec"]
    sidecar: RawObject = next(iter(spec.get("initContainers") or ()), {})
    if sidecar.get("name") != SIDECAR:
        told = "; ".join(attempt.warnings) or "nothing was said about it"
        return report.fail(
            f"a pod gets no sidecar: {told}",
            "the webhook was not asked: see the registration above; labels take a second to act",
        )
    if image and sidecar["image"] != image:
        return report.fail(
            f"the sidecar's image is {sidecar['image']}, not the webhook's",
            "another webhook changes it: kubectl get mutatingwebhookconfigurations",
        )
    return report.ok("a pod that was tried gets its sidecar")
