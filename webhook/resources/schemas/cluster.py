"""Owns the schema of Clusters: a member, how it is trusted and what is shown to it.

Must not judge whether a Cluster may be used: the controller does, in its status.
"""

from typing import Final

from webhook.resources.credentials import (
    AUDIENCE_PATTERN,
    MAX_EXPIRATION_S,
    MIN_EXPIRATION_S,
    USUAL_EXPIRATION_S,
)
from webhook.resources.meta import RawDocument
from webhook.resources.schemas.forms import fields, rule, subdomain, text, whole
from webhook.resources.schemas.status import conditions, counter, observed_generation

# The sidecar reads 256 KiB of base64.
_MAX_BUNDLE: Final = 131_072
_HOST_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = rf"{_HOST_LABEL}(\.{_HOST_LABEL})*"
# Ports up to 65535.
_PORT: Final = (
    "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_SERVER: Final = rf"^https://({_HOST}|\[[0-9A-Fa-f:.]+\])(:{_PORT})?$"
_FORMS: Final = ("audience", "tokenRequest", "secretRef")
_MAX_SEATS: Final = 65_535


def cluster_schema() -> RawDocument:
    """A Cluster's whole schema."""
    return fields(
        "A cluster that pods may be sent to, beside the one that they run in. What opens it lies "
        "nowhere where a tenant could read it.",
        {"spec": _spec(), "status": _status()},
        ("spec",),
        rule(
            "self.metadata.name.size() <= 63 && "
            "self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
            "metadata.name must be a DNS label: lower-case letters, digits and -, at most 63",
        ),
        rule(
            "self.metadata.name != 'home' && !self.metadata.name.startsWith('mca-')",
            "metadata.name: home is the cluster that pods run in, and mca-… is for MCA itself: "
            "take another name",
        ),
    )


def _spec() -> RawDocument:
    return fields(
        "Where the cluster is and how it is used.",
        {
            "server": text(
                "https://host or https://host:port, without user, path or query.",
                most=300,
                pattern=_SERVER,
            ),
            "caBundle": _bundle(),
            "tlsServerName": text(
                "The name in its certificate, where that is not the host in server.",
                most=253,
                pattern=f"^{_HOST}$",
            ),
            "credentials": _credentials(),
            "healthCheck": _health_check(),
            "limits": fields(
                "What one pod may hold open to it.",
                {
                    "maxConnections": whole("For requests; 0: as many as needed.", 0, _MAX_SEATS),
                    "maxStreams": whole(
                        "Watches, logs and tunnels; 0: as many as needed.", 0, _MAX_SEATS
                    ),
                },
            ),
        },
        ("server", "caBundle", "credentials"),
    )


def _bundle() -> RawDocument:
    return text(
        "The CA certificates that its server is trusted by, as base64 of PEM. There is no way to "
        "leave this out, nor to skip the check.",
        most=_MAX_BUNDLE,
        format="byte",
    ) | {
        "x-kubernetes-validations": [
            rule(
                "string(self).contains('-----BEGIN CERTIFICATE-----')",
                "must be base64 of PEM with a CERTIFICATE in it",
            ),
            rule(
                "!string(self).contains('PRIVATE KEY')",
                "must not hold a private key: everybody may read this",
            ),
        ]
    }


def _credentials() -> RawDocument:
    given = ", ".join(f"has(self.{form})" for form in _FORMS)
    kept = " && ".join(f"has(self.{form}) == has(oldSelf.{form})" for form in _FORMS)
    return fields(
        "What sidecars show to it. Exactly one of audience, tokenRequest and secretRef; which, "
        "cannot be changed.",
        {
            "audience": fields(
                "Projected tokens of the pods' own service accounts, which the cluster trusts "
                "by its own configuration. Nothing is stored.",
                {
                    "name": text(
                        "The tokens' audience; left out: mca.io/cluster/ and the Cluster's uid. "
                        "Another must be listed by an admin in the controller's settings, and "
                        "mean nothing elsewhere. It cannot be changed.",
                        most=253,
                        pattern=AUDIENCE_PATTERN,
                    )
                },
                (),
                rule(
                    "!has(self.name) || !self.name.startsWith('mca.io/')",
                    "mca.io/… is for MCA itself: leave the name out",
                    path=".name",
                ),
                rule("self == oldSelf", "the audience cannot be changed: register another Cluster"),
            ),
            "tokenRequest": fields(
                "Short-lived tokens that the broker asks the cluster for, of the service account "
                "of the same namespace and name there, where that is listed for the tenant.",
                {
                    "secretRef": _secret("The credential that may ask for them, and no more."),
                    "expirationSeconds": whole(
                        "How long each counts.",
                        MIN_EXPIRATION_S,
                        MAX_EXPIRATION_S,
                        default=USUAL_EXPIRATION_S,
                    ),
                },
                ("secretRef",),
            ),
            "secretRef": _secret(
                "A token, client certificate or kubeconfig, handed by the broker to the pods of "
                "the one tenant that the Secret's annotation mca.io/tenant names."
            ),
        },
        (),
        rule(
            f"[{given}].filter(one, one).size() == 1",
            "must be exactly one of audience, tokenRequest and secretRef",
        ),
        rule(kept, "the form of credentials cannot be changed: register another Cluster"),
    )


def _secret(description: str) -> RawDocument:
    return fields(
        f"{description} A Secret of type mca.io/cluster-credentials in MCA's own namespace.",
        {"name": subdomain("Its name.")},
        ("name",),
    )


def _health_check() -> RawDocument:
    return fields(
        "How each sidecar asks the cluster for its health. Left out: only what calls meet counts.",
        {
            "path": text(
                "What is asked for.",
                most=256,
                pattern="^/[A-Za-z0-9._~/?=&-]*$",
                default="/readyz",
            ),
            "intervalSeconds": whole("Between two questions.", 1, 3600, default=10),
            "timeoutSeconds": whole("Until one counts as failed.", 1, 60, default=2),
            "failureThreshold": whole("So many in a row, and it is down.", 1, 100, default=3),
        },
    )


def _status() -> RawDocument:
    return fields(
        "What the controller found. Accepted: it may be used. Ready: it answers. Enforced: MCA's "
        "guards and webhook are there, so that enforced tenants may have pods, workloads, Secrets "
        "and service accounts there.",
        {
            "conditions": conditions(),
            "audience": text("The audience of the tokens that are shown to it.", most=253),
            "version": text("The version that it tells.", most=64),
            "latencyMilliseconds": counter("How long the last answer took."),
            "lastProbeTime": {
                "description": "When it was asked last.",
                "type": "string",
                "format": "date-time",
            },
            "observedGeneration": observed_generation(),
        },
    )
