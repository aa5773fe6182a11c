"""Owns the checks of how the webhook is registered, and of the certificates it is trusted by.

What a registration must look like is webhook/admission/registration.py's. Must not call anything.
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from cryptography import x509

from webhook.admission.environment import ServerSettings
from webhook.admission.outcome import RawObject
from webhook.admission.registration import MODES, NAME, build_registration, find_path
from webhook.cli.check.facts import Facts
from webhook.cli.check.finding import Finding, Reporter, list_some
from webhook.enforcement.comparison import list_differences

GROUP: Final = "webhook"
_SOON: Final = timedelta(days=7)
_INSTALL: Final = "run `mca install` again"


def check_registration(facts: Facts) -> Iterator[Finding]:
    """Everything of it but the CA and the address, which differ between clusters."""
    report = Reporter(GROUP, "registration")
    registration = facts.registration.read()
    if registration is None:
        yield report.fail(f"there is no MutatingWebhookConfiguration {NAME}", _INSTALL)
        return
    webhooks = {item["name"]: item for item in registration.get("webhooks") or ()}
    expected = _expect(webhooks, facts.system)
    if missing := sorted(expected.keys() - webhooks.keys()):
        yield report.fail(f"{NAME} has no webhook {', '.join(missing)}", _INSTALL)
        return
    differences = [
        f"{name}: {path}"
        for name, entry in expected.items()
        for path in list_differences(entry, _strip(webhooks[name]))
    ]
    if foreign := sorted(webhooks.keys() - expected.keys()):
        differences += [f"{name} is not MCA's" for name in foreign]
    if differences:
        yield report.fail(f"{NAME} was changed: {list_some(differences)}", _INSTALL)
    else:
        yield report.ok(f"{NAME} is as MCA makes it, failurePolicy Fail")


def _expect(webhooks: dict[str, RawObject], system: str) -> dict[str, RawObject]:
    """The entries, for this address."""
    built = build_registration({"service": {}}, "", (system,))
    entries = {}
    for mode, entry in zip(MODES, built["webhooks"], strict=True):
        stored = (webhooks.get(entry["name"]) or {}).get("clientConfig") or {}
        entries[entry["name"]] = {**entry, "clientConfig": _expect_address(stored, mode)}
    return entries


def _expect_address(stored: RawObject, mode: str) -> RawObject:
    path = find_path(mode)
    if url := stored.get("url"):
        return {"url": f"{str(url).removesuffix(path)}{path}"}
    return {"service": {**(stored.get("service") or {}), "path": path}}


def _strip(webhook: RawObject) -> RawObject:
    address = {key: value for key, value in webhook["clientConfig"].items() if key != "caBundle"}
    return {**webhook, "clientConfig": address}


def check_bundle(facts: Facts) -> Iterator[Finding]:
    """What API servers trust the webhook by: nothing would be injected, and pods be refused."""
    report = Reporter(GROUP, "ca-bundle")
    registration = facts.registration.read()
    if registration is None:
        return
    bundles = {
        str(item["clientConfig"].get("caBundle") or "") for item in registration.get("webhooks", ())
    }
    if "" in bundles:
        yield report.fail(
            "the caBundle is empty: the API server trusts no certificate of the webhook",
            _find_keeper(facts),
        )
    elif len(bundles) > 1:
        yield report.fail("its webhooks have different caBundles", _find_keeper(facts))
    else:
        yield from _judge_bundle(report, bundles.pop(), facts)


def _judge_bundle(report: Reporter, text: str, facts: Facts) -> Iterator[Finding]:
    now, keeper = facts.now, _find_keeper(facts)
    try:
        certificates = x509.load_pem_x509_certificates(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        yield report.fail("the caBundle holds no certificates that can be read", keeper)
        return
    valid = [
        one for one in certificates if one.not_valid_before_utc <= now < one.not_valid_after_utc
    ]
    if not valid:
        last = max(one.not_valid_after_utc for one in certificates)
        yield report.fail(
            f"none of its {len(certificates)} CA certificates is valid now, the last ended"
            f" on {_day(last)}",
            f"see that clocks are right; {keeper}",
        )
        return
    last = max(one.not_valid_after_utc for one in valid)
    if last - now < _SOON:
        yield report.warn(
            f"the last CA certificate ends on {_day(last)}",
            f"the next one should be there: {keeper}",
        )
    else:
        yield report.ok(f"CA certificates in it: {len(valid)}, valid until {_day(last)}")


def _find_keeper(facts: Facts) -> str:
    """Who keeps the bundle right, and where it says why it does not; installing again does not."""
    settings = facts.settings()
    if isinstance(settings, ServerSettings) and not settings.certificates.own:
        return (
            "whoever makes the webhook's certificates fills it: kubectl get certificates,issuers -A"
        )
    logs = f"kubectl logs -n {facts.system} deployment/mca-webhook"
    return f"the webhook mends it within seconds: {logs}"


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def check_page(facts: Facts) -> Iterator[Finding]:
    """Only where no namespace is labelled yet: there a pod that is tried shows more."""
    report = Reporter(GROUP, "reachable")
    if facts.page is None:
        return
    if facts.page.status == HTTPStatus.OK:
        yield report.ok("its /readyz answers the API server")
    elif facts.page.status == HTTPStatus.FORBIDDEN:
        yield report.unknown(
            f"whether its /readyz answers: {facts.page.message}",
            "run this as somebody who may get services/proxy, or name a namespace with -n",
        )
    else:
        yield report.fail(
            f"its /readyz does not answer: {facts.page.message}",
            f"kubectl get pods -n {facts.system}; look at NetworkPolicies and firewalls",
        )


CHECKS: Final = (check_registration, check_bundle, check_page)
