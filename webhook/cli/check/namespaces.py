"""Owns the checks of one namespace: whether its pods get their sidecar, whether its boundary holds.

Must not know what keeps a boundary from holding: webhook/enforcement does.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final

from webhook.admission.environment import ServerSettings
from webhook.admission.names import LABEL_BOUNDARY, LABEL_INJECTION, LABEL_OPT_OUT
from webhook.admission.outcome import Namespace, RawObject, read_namespace
from webhook.cli.check.facts import Facts, NamespaceFacts
from webhook.cli.check.finding import Finding, Reporter, list_some
from webhook.cli.check.trial import judge_trial
from webhook.enforcement.report import Enforcement, Home, report_enforcement
from webhook.enforcement.stored_pod import has_sidecar
from webhook.guards.reading import PODS_GUARD, UnreadableError, read_images
from webhook.resources.names import POLICY, REVISION

GROUP: Final = "namespaces"
_VALUES: Final = {
    LABEL_INJECTION: "enabled",
    LABEL_BOUNDARY: "enforced",
    LABEL_OPT_OUT: "allowed",
}
_FINISHED: Final = ("Succeeded", "Failed")


def name_group(namespace: str) -> str:
    """What its findings are listed under."""
    return f"namespace {namespace}"


def check_listing(facts: Facts) -> Iterator[Finding]:
    """Where nobody named one."""
    report = Reporter(GROUP, "labelled")
    if facts.unlisted:
        yield report.unknown(
            f"which namespaces are labelled: {facts.unlisted}", "name them with -n"
        )
    elif not facts.namespaces:
        yield report.ok(f"none yet: kubectl label namespace NAME {LABEL_INJECTION}=enabled")


def check_labels(facts: NamespaceFacts, whole: Facts) -> Iterator[Finding]:
    """Each has one value that means something; others are taken for none."""
    report = Reporter(name_group(facts.name), "labels")
    namespace = facts.namespace.read()
    if namespace is None:
        yield report.fail(f"there is no namespace {facts.name}", "kubectl get namespaces")
        return
    labels = namespace["metadata"].get("labels") or {}
    wrong = [
        f"{label}: {labels[label]}"
        for label, value in _VALUES.items()
        if labels.get(label, value) != value
    ]
    if wrong:
        right = ", ".join(f"{label}={value}" for label, value in _VALUES.items())
        yield report.fail(f"means nothing: {', '.join(wrong)}", f"the values are {right}")
    elif facts.name == whole.system or not read_namespace(labels).enabled:
        yield report.fail(
            "its pods are not injected: it is not labelled, or it is MCA's own",
            f"kubectl label namespace {facts.name} {LABEL_INJECTION}=enabled",
        )
    else:
        told = [f"{label}: {labels[label]}" for label in _VALUES if label in labels]
        yield report.ok(", ".join(told))


def check_injection(facts: NamespaceFacts, whole: Facts) -> Iterator[Finding]:
    """A pod is tried as a dry run: API server, webhook and guards have their say."""
    report = Reporter(name_group(facts.name), "injection")
    if not _read_mode(facts).enabled:
        return
    settings = whole.settings()
    image = settings.injection.image if isinstance(settings, ServerSettings) else ""
    yield judge_trial(report, facts.attempt, image, whole.system)


def check_policy(facts: NamespaceFacts, whole: Facts) -> Iterator[Finding]:
    """What its sidecars live by; until it is there, they deny all."""
    report = Reporter(name_group(facts.name), "policy")
    settings = whole.settings()
    if not isinstance(settings, ServerSettings) or settings.injection.policy == "home":
        return
    found = facts.policy.read()
    if found is None:
        yield report.fail(
            f"there is no ConfigMap {POLICY}: its sidecars start, and deny every call",
            "see the checks of the controller above: it writes it within a second",
        )
    else:
        revision = (found["metadata"].get("annotations") or {}).get(REVISION) or "of no revision"
        yield report.ok(f"its snapshot is {revision}")


def check_older_pods(facts: NamespaceFacts, whole: Facts) -> Iterator[Finding]:
    """Injection acts on new pods. Where the boundary is enforced, the report on it tells more."""
    del whole
    report = Reporter(name_group(facts.name), "pods")
    mode = _read_mode(facts)
    if not mode.enabled or mode.enforced:
        return
    pods = [pod for pod in facts.pods.items() if _is_running(pod)]
    without = [pod["metadata"]["name"] for pod in pods if not has_sidecar(pod)]
    if without:
        told = f"{len(without)} of {count_pods(len(pods))} have no sidecar"
        yield report.warn(
            f"{told}: {list_some(sorted(without))}",
            "they are older than the label, or were left out: "
            f"kubectl rollout restart -n {facts.name} deployment,statefulset,daemonset",
        )
    else:
        yield report.ok(f"{count_pods(len(pods))} running, each with a sidecar")


def check_boundary(
    facts: NamespaceFacts, whole: Facts, earlier_images: Collection[str] = ()
) -> Iterator[Finding]:
    """Of each thing that is left one finding."""
    report = Reporter(name_group(facts.name), "boundary")
    if not _read_mode(facts).enforced:
        return
    enforcement = find_enforcement(facts, whole, earlier_images)
    if enforcement is None:
        yield report.unknown(
            "what its pods must look like: the webhook's settings are not known",
            "see the checks of the installation above",
        )
        return
    for leftover in enforcement.leftovers:
        yield report.fail(f"{leftover.subject} {leftover.message}", leftover.remedy)
    if enforcement.enforced:
        count = count_pods(len(facts.pods.items()))
        yield report.ok(f"is enforced: {count}, nothing but as injected, and no token Secret")


def count_pods(number: int) -> str:
    """As one says it."""
    return f"{number or 'no'} pod{'' if number == 1 else 's'}"


def find_enforcement(
    facts: NamespaceFacts, whole: Facts, earlier_images: Collection[str] = ()
) -> Enforcement | None:
    """The report; None where there is nothing to compare with."""
    namespace = facts.namespace.read()
    settings = whole.settings()
    if namespace is None or not isinstance(settings, ServerSettings):
        return None
    return report_enforcement(
        namespace,
        facts.pods.items(),
        facts.token_secrets.items(),
        settings.injection,
        Home(
            facts.root_ca.read(),
            whole.genuine_ca.read(),
            tuple(item["metadata"]["name"] for item in facts.services.items()),
        ),
        {*earlier_images, *_list_accepted(whole)},
    )


def _list_accepted(whole: Facts) -> tuple[str, ...]:
    """While an upgrade replaces webhooks, the guards accept the image of before, too."""
    for policy in whole.policies.items():
        if policy["metadata"]["name"] == PODS_GUARD:
            with suppress(UnreadableError):
                return read_images(policy)
    return ()


def _read_mode(facts: NamespaceFacts) -> Namespace:
    namespace = facts.namespace.read() or {"metadata": {}}
    return read_namespace(namespace["metadata"].get("labels") or {})


def _is_running(pod: RawObject) -> bool:
    return (pod.get("status") or {}).get("phase") not in _FINISHED


CHECKS: Final = (check_listing,)
EACH: Final = (check_labels, check_injection, check_policy, check_older_pods)
