"""Owns the credentials of a Cluster: their three forms, and what may stand in each.

Must not read a Secret.
"""

import re
from typing import Final, NamedTuple

from sidecar.policy.fields import DNS_SUBDOMAIN
from webhook.resources.meta import mapping
from webhook.resources.names import OUR_PREFIX

AUDIENCE_PREFIX: Final = "mca.io/cluster/"
# Kubernetes' own limits of a projected token.
MIN_EXPIRATION_S: Final = 600
MAX_EXPIRATION_S: Final = 86_400
USUAL_EXPIRATION_S: Final = 3600
AUDIENCE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,252}$"

_AUDIENCE: Final = re.compile(AUDIENCE_PATTERN)


class Audience(NamedTuple):
    """A projected token with this audience, which the member trusts. "": one made of the uid."""

    name: str = ""


class TokenRequest(NamedTuple):
    """Short-lived tokens that the broker mints on the member, by the credential in a Secret."""

    secret: str
    expiration_s: int = USUAL_EXPIRATION_S


class SecretRef(NamedTuple):
    """What stands in a Secret of MCA's own namespace, handed out by the broker."""

    secret: str


Credentials = Audience | TokenRequest | SecretRef


def read_credentials(value: object) -> Credentials | str:
    """The credentials, or what is wrong with them."""
    raw = mapping(value)
    forms = [key for key in ("audience", "tokenRequest", "secretRef") if raw.get(key) is not None]
    if len(forms) != 1:
        return "spec.credentials: must be exactly one of audience, tokenRequest and secretRef"
    form = mapping(raw[forms[0]])
    if forms == ["audience"]:
        return _read_audience(form.get("name"))
    path = "spec.credentials.secretRef"
    if forms == ["tokenRequest"]:
        path = "spec.credentials.tokenRequest.secretRef"
    secret = (
        form.get("name") if forms == ["secretRef"] else mapping(form.get("secretRef")).get("name")
    )
    if not isinstance(secret, str) or DNS_SUBDOMAIN.fullmatch(secret) is None:
        return f"{path}.name: must be the name of a Secret in MCA's own namespace"
    if forms == ["secretRef"]:
        return SecretRef(secret)
    expiration = form.get("expirationSeconds", USUAL_EXPIRATION_S)
    if not isinstance(expiration, int) or not MIN_EXPIRATION_S <= expiration <= MAX_EXPIRATION_S:
        return (
            "spec.credentials.tokenRequest.expirationSeconds: "
            f"must be a whole number from {MIN_EXPIRATION_S} to {MAX_EXPIRATION_S}"
        )
    return TokenRequest(secret, expiration)


def _read_audience(name: object) -> Audience | str:
    if name is None or name == "":
        return Audience()
    if not isinstance(name, str) or _AUDIENCE.fullmatch(name) is None:
        return "spec.credentials.audience.name: must be letters, digits and ._:/- (253 at most)"
    if name.startswith(OUR_PREFIX):
        return (
            "spec.credentials.audience.name: mca.io/… is for MCA itself: "
            f"leave the name out for {AUDIENCE_PREFIX}<uid>"
        )
    return Audience(name)
