"""Owns the checks of what an installation is made of: its objects, its pods, its settings.

Must not judge the webhook's registration nor the guards.
"""

from collections.abc import Iterator
from typing import Final

from webhook.admission.environment import ServerSettings
from webhook.cli.check.facts import Facts
from webhook.cli.check.finding import Finding, Reporter, list_some
from webhook.cli.install.readiness import list_reasons

GROUP: Final = "installation"
_INSTALL: Final = "run `mca install`, or install the chart"
_AGAIN: Final = "run `mca install` again, or upgrade the chart"


def check_namespace(facts: Facts) -> Iterator[Finding]:
    """The first thing that is made, and the last that goes."""
    report = Reporter(GROUP, "namespace")
    if facts.namespace.read() is None:
        yield report.fail(f"there is no namespace {facts.system}", _INSTALL)
    else:
        yield report.ok(facts.system)


def check_objects(facts: Facts) -> Iterator[Finding]:
    """Every object that belongs to it; what is in them is for other checks."""
    report = Reporter(GROUP, "objects")
    if not facts.objects:
        return
    missing = [name for name, fetched in facts.objects.items() if fetched.read() is None]
    if missing:
        yield report.fail(f"not there: {list_some(missing)}", _AGAIN)
    else:
        yield report.ok(f"{len(facts.objects)} are there")


def check_settings(facts: Facts) -> Iterator[Finding]:
    """As the webhook itself would read them."""
    report = Reporter(GROUP, "settings")
    settings = facts.settings()
    if isinstance(settings, ServerSettings):
        yield report.ok(f"sidecars have the image {settings.injection.image}")
    elif settings is not None:
        yield report.fail(
            f"Deployment mca-webhook: {list_some(settings)}", "correct its environment"
        )


def check_pods(facts: Facts) -> Iterator[Finding]:
    """One serves, two serve while one is replaced."""
    report = Reporter(GROUP, "pods")
    deployment = facts.deployment.read()
    if deployment is None:
        yield report.fail(f"there is no Deployment mca-webhook in {facts.system}", _INSTALL)
        return
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status") or {}
    ready = status.get("readyReplicas") or 0
    hint = f"kubectl describe pods -n {facts.system} -l app.kubernetes.io/component=webhook"
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 1):
        hint = "nobody has looked at its newest form yet: is the controller manager running?"
    reasons = list_some(list_reasons(facts.pods.items()))
    told = f"{ready} of {wanted} pods of mca-webhook are ready" + (reasons and f": {reasons}")
    if not ready:
        yield report.fail(told, hint)
    elif ready < wanted or (status.get("updatedReplicas") or 0) < wanted:
        yield report.warn(told, hint)
    elif wanted == 1:
        yield report.warn(told, "two keep pods coming while one is replaced")
    else:
        yield report.ok(told)


def check_endpoints(facts: Facts) -> Iterator[Finding]:
    """What the API server would dial."""
    report = Reporter(GROUP, "endpoints")
    ready = [
        address
        for piece in facts.endpoints.items()
        for endpoint in piece.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or ()
    ]
    if ready:
        yield report.ok(f"Service mca-webhook leads to {list_some(sorted(set(ready)))}")
    else:
        yield report.fail(
            "Service mca-webhook leads to no pod that is ready",
            f"kubectl get endpointslices -n {facts.system}",
        )


def check_flow_schema(facts: Facts) -> Iterator[Finding]:
    """Without it the webhook's calls wait behind everybody's."""
    report = Reporter(GROUP, "flow-schema")
    schemas = facts.flow_schemas.items()
    dangling = [
        schema["metadata"]["name"]
        for schema in schemas
        for condition in (schema.get("status") or {}).get("conditions") or ()
        if condition["type"] == "Dangling" and condition["status"] == "True"
    ]
    if not schemas:
        yield report.warn("there is no FlowSchema of MCA's", _AGAIN)
    elif dangling:
        yield report.warn(
            f"FlowSchema {', '.join(dangling)} names a priority level that is not there",
            "kubectl get prioritylevelconfigurations",
        )
    else:
        yield report.ok(", ".join(schema["metadata"]["name"] for schema in schemas))


CHECKS: Final = (
    check_namespace, check_objects, check_settings, check_pods, check_endpoints, check_flow_schema,
)  # fmt: skip
