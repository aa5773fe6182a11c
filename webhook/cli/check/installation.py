"""Owns the checks of what an installation is made of: its objects, its pods, its settings.

Must not judge the webhook's registration nor the guards.
"""

from collections.abc import Iterator
from typing import Final

from webhook.admission.environment import ServerSettings
from webhook.cli.check.facts import Facts, Fetched
from webhook.cli.check.finding import Finding, Reporter, list_some
from webhook.cli.install.readiness import list_reasons
from webhook.install.names import APP, WEBHOOK

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
    yield judge_pods(Reporter(GROUP, "pods"), facts.deployment, facts.pods, WEBHOOK, facts.system)


def judge_pods(
    report: Reporter, fetched: Fetched, pods: Fetched, name: str, system: str
) -> Finding:
    """Those of a Deployment of ours."""
    deployment = fetched.read()
    if deployment is None:
        return report.fail(f"there is no Deployment {name} in {system}", _INSTALL)
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status") or {}
    ready = status.get("readyReplicas") or 0
    component = name.removeprefix(f"{APP}-")
    hint = f"kubectl describe pods -n {system} -l app.kubernetes.io/component={component}"
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 1):
        hint = "nobody has looked at its newest form yet: is the controller manager running?"
    reasons = list_some(list_reasons(pods.items()))
    told = f"{ready} of {wanted} pods of {name} are ready" + (reasons and f": {reasons}")
    if not ready:
        return report.fail(told, hint)
    if ready < wanted or (status.get("updatedReplicas") or 0) < wanted:
        return report.warn(told, hint)
    if wanted == 1:
        return report.warn(told, "two keep it working while one is replaced")
    return report.ok(told)


def check_endpoints(facts: Facts) -> Iterator[Finding]:
    """What the API server would dial."""
    yield judge_endpoints(Reporter(GROUP, "endpoints"), facts.endpoints, WEBHOOK, facts.system)


def judge_endpoints(report: Reporter, endpoints: Fetched, service: str, system: str) -> Finding:
    """Those of a Service of ours."""
    ready = [
        address
        for piece in endpoints.items()
        for endpoint in piece.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or ()
    ]
    if ready:
        return report.ok(f"Service {service} leads to {list_some(sorted(set(ready)))}")
    return report.fail(
        f"Service {service} leads to no pod that is ready",
        f"kubectl get endpointslices -n {system}",
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
