"""Owns the checks of the guards: all there, as MCA makes them, for the image that is put in.

What a guard is made of is webhook/guards'. Must not call anything.
"""

from collections.abc import Iterator
from typing import Final

from webhook.admission.environment import ServerSettings
from webhook.admission.outcome import RawObject
from webhook.cli.check.facts import Facts
from webhook.cli.check.finding import Finding, Reporter, list_some
from webhook.enforcement.comparison import list_differences
from webhook.guards.reading import UnreadableError, read_guard_settings
from webhook.guards.rendering import make_guards
from webhook.guards.settings import GuardSettings

GROUP: Final = "guards"
_AGAIN: Final = "run `mca install` again, or upgrade the chart, before a namespace is enforced"
_POLICY: Final = "ValidatingAdmissionPolicy"
# The names are the same for every image.
_NAMES: Final = tuple(
    guard.name for guard in make_guards(GuardSettings(image=f"mca@sha256:{'0' * 64}"))
)


def check_guards(facts: Facts) -> Iterator[Finding]:
    """Rendered again with their own settings, they must come out the same."""
    report = Reporter(GROUP, "policies")
    policies = _by_name(facts.policies.items())
    bindings = _by_name(facts.bindings.items())
    missing = [name for name in _NAMES if name not in policies or name not in bindings]
    if missing:
        yield report.fail(f"not there, policy or binding: {list_some(missing)}", _AGAIN)
        return
    try:
        settings = read_guard_settings(policies)
    except UnreadableError as error:
        yield report.fail(f"was changed: {error}", _AGAIN)
        return
    if differences := list(_list_changes(settings, policies, bindings)):
        yield report.fail(f"was changed: {list_some(differences)}", _AGAIN)
        return
    admins = [*settings.admin_users, *settings.admin_groups]
    yield report.ok(f"{len(_NAMES)} are as MCA makes them; admins: {list_some(admins)}")
    yield from _check_image(settings, facts)
    yield from _check_audiences(settings, facts)


def _by_name(items: list[RawObject]) -> dict[str, RawObject]:
    return {str(item["metadata"]["name"]): item for item in items}


def _list_changes(
    settings: GuardSettings, policies: dict[str, RawObject], bindings: dict[str, RawObject]
) -> Iterator[str]:
    for guard in make_guards(settings):
        for manifest in guard.manifests():
            stored = policies if manifest["kind"] == _POLICY else bindings
            what = "" if stored is policies else "binding "
            for path in list_differences(manifest["spec"], stored[guard.name]["spec"]):
                yield f"{what}{guard.name}: {path}"


def _check_image(settings: GuardSettings, facts: Facts) -> Iterator[Finding]:
    report = Reporter(GROUP, "image")
    told = facts.settings()
    if not isinstance(told, ServerSettings):
        return
    if told.injection.image != settings.image:
        yield report.fail(
            f"the webhook puts in {told.injection.image}, the guards demand {settings.image}:"
            " no pod starts in an enforced namespace",
            "run `mca install` with one image for both",
        )
    else:
        yield report.ok("the webhook puts in the image that they demand")


def _check_audiences(settings: GuardSettings, facts: Facts) -> Iterator[Finding]:
    report = Reporter(GROUP, "audiences")
    told = facts.settings()
    if not isinstance(told, ServerSettings):
        return
    listed = told.injection.audiences
    if listed != frozenset(settings.audiences):
        yield report.warn(
            f"the webhook lists the audiences {list_some(sorted(listed)) or 'none'},"
            f" the guards {list_some(settings.audiences) or 'none'}",
            "run `mca install` with every --audience",
        )
    else:
        yield report.ok(f"listed: {list_some(sorted(listed)) or 'none'}")


def check_types(facts: Facts) -> Iterator[Finding]:
    """What the API server's own look at their CEL came to."""
    report = Reporter(GROUP, "types")
    warned = [
        str(policy["metadata"]["name"])
        for policy in facts.policies.items()
        if ((policy.get("status") or {}).get("typeChecking") or {}).get("expressionWarnings")
    ]
    if warned:
        yield report.warn(
            f"the API server warns of the CEL of {list_some(warned)}",
            f"kubectl get validatingadmissionpolicy {warned[0]} -o yaml",
        )


CHECKS: Final = (check_guards, check_types)
