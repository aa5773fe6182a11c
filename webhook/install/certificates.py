"""Owns where the webhook's certificates are kept: its own Secret, or what cert-manager makes.

Must not make a certificate.
"""

from typing import Any, Final

from webhook.install.names import (
    BROKER_TLS_SECRET,
    CA_MAP,
    CA_SECRET,
    TLS_SECRET,
    WEBHOOK,
    describe,
)
from webhook.install.remarks import RawDocument, Remarked
from webhook.install.settings import InstallSettings
from webhook.resources.names import BROKER_SERVICE

_API: Final = "cert-manager.io/v1"
_SELF_SIGNED: Final = f"{WEBHOOK}-self-signed"
_AUTHORITY: Final = f"{WEBHOOK}-authority"


def build_certificates(settings: InstallSettings) -> list[RawDocument]:
    """What the webhook fills itself, or an authority and the certificate that it signs."""
    if not settings.cert_manager:
        return [
            Remarked(
                "Filled by the webhook itself with its certificate authority. Nobody else writes "
                "here: no field of the content is named, so applying this again changes nothing.",
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": describe(CA_SECRET, settings.namespace),
                    "type": "Opaque",
                },
            ),
            Remarked(
                "Filled as well: what the webhook's certificates are verified by, for whoever "
                "reads its metrics and has no business with the Secret.",
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": describe(CA_MAP, settings.namespace),
                },
            ),
        ]
    return [
        Remarked(
            "An authority for the webhook alone, which keeps its key when it is renewed: what the "
            "API server trusts before and after verifies the same certificates.",
            _issuer(_SELF_SIGNED, settings, {"selfSigned": {}}),
        ),
        _certificate(
            _AUTHORITY,
            settings,
            commonName=_AUTHORITY,
            isCA=True,
            duration="87600h0m0s",
            secretName=_AUTHORITY,
            privateKey={"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
            issuerRef=_refer(_SELF_SIGNED),
        ),
        _issuer(_AUTHORITY, settings, {"ca": {"secretName": _AUTHORITY}}),
        Remarked(
            "What the webhook serves with. It takes a renewed one within a second.",
            _serving_certificate(WEBHOOK, TLS_SECRET, settings),
        ),
        Remarked(
            "What the controller's broker serves with.",
            _serving_certificate(BROKER_SERVICE, BROKER_TLS_SECRET, settings),
        ),
    ]


def _serving_certificate(service: str, secret: str, settings: InstallSettings) -> RawDocument:
    """Named as the Service is."""
    return _certificate(
        service,
        settings,
        dnsNames=[
            f"{service}.{settings.namespace}.svc",
            f"{service}.{settings.namespace}.svc.cluster.local",
        ],
        duration="2160h0m0s",
        secretName=secret,
        privateKey={"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        usages=["digital signature", "server auth"],
        issuerRef=_refer(_AUTHORITY),
    )


def _issuer(name: str, settings: InstallSettings, spec: RawDocument) -> RawDocument:
    return {
        "apiVersion": _API,
        "kind": "Issuer",
        "metadata": describe(name, settings.namespace),
        "spec": spec,
    }


def _certificate(name: str, settings: InstallSettings, **spec: Any) -> RawDocument:
    return {
        "apiVersion": _API,
        "kind": "Certificate",
        "metadata": describe(name, settings.namespace),
        "spec": spec,
    }


def _refer(issuer: str) -> RawDocument:
    return {"group": "cert-manager.io", "kind": "Issuer", "name": issuer}
