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
from webhook.admission.registration import NAME
from webhook.cli.check.facts import Facts
from webhook.cli.check.finding import Finding, Reporter, list_some
from webhook.enforcement.registered import find_deviation, list_bundles

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
    missing, differences = find_deviation(registration, facts.system)
    if missing:
        yield report.fail(f"{NAME} has no webhook {', '.join(missing)}", _INSTALL)
        return
    if differences:
        yield report.fail(f"{NAME} was changed: {list_some(differences)}", _INSTALL)
    else:
        yield report.ok(f"{NAME} is as MCA makes it, failurePolicy Fail")


def check_bundle(facts: Facts) -> Iterator[Finding]:
    """What API servers trust the webhook by: nothing would be injected, and pods be refused."""
    report = Reporter(GROUP, "ca-bundle")
    registration = facts.registration.read()
    if registration is None:
        return
    bundles = list_bundles(registration)
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
