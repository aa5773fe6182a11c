"""The settings of `mca webhook`."""

import pytest

from tests.webhook.admission.scene import IMAGE, SETTINGS
from webhook.admission.environment import TABLE, ServerSettings, parse_environment
from webhook.admission.settings import Resources
from webhook.certificates.planning import Lifetimes
from webhook.certificates.settings import CertificateSettings


def test_defaults() -> None:
    settings = parse_environment({"MCA_SIDECAR_IMAGE": IMAGE})
    paths = ("/var/run/mca/webhook/tls.crt", "/var/run/mca/webhook/tls.key")
    lifetimes = Lifetimes(90 * 86400, 86400, 300)
    certificates = CertificateSettings(False, *paths, "mca-system", "mca-webhook", lifetimes)
    assert settings == ServerSettings("::", 8443, certificates, 5, SETTINGS)


def test_all() -> None:
    settings = parse_environment(
        {
            "MCA_WEBHOOK_LISTEN": "127.0.0.1:9443",
            "MCA_WEBHOOK_CERTIFICATES": "own",
            "MCA_WEBHOOK_CERT": "/c",
            "MCA_WEBHOOK_KEY": "/k",
            "MCA_WEBHOOK_NAMESPACE": "mca",
            "MCA_WEBHOOK_SERVICE": "hook-1",
            "MCA_WEBHOOK_CA_SECONDS": "60",
            "MCA_WEBHOOK_LEAF_SECONDS": "30",
            "MCA_WEBHOOK_SETTLE_SECONDS": "10",
            "MCA_WEBHOOK_DRAIN": "0",
            "MCA_SIDECAR_IMAGE": IMAGE,
            "MCA_SIDECAR_LOG_LEVEL": "debug",
            "MCA_SIDECAR_CPU_REQUEST": "20m",
            "MCA_SIDECAR_MEMORY_REQUEST": "none",
            "MCA_SIDECAR_CPU_LIMIT": "1",
            "MCA_SIDECAR_MEMORY_LIMIT": "none",
            "MCA_TOKEN_AUDIENCES": "vault, istio-ca",
        }
    )
    assert isinstance(settings, ServerSettings)
    certificates = CertificateSettings(True, "/c", "/k", "mca", "hook-1", Lifetimes(60, 30, 10))
    assert settings[:4] == ("127.0.0.1", 9443, certificates, 0)
    assert settings.injection.resources == Resources("20m", "", "1", "")
    assert settings.injection.log_level == "debug"
    assert settings.injection.audiences == {"vault", "istio-ca"}


def test_what_a_life_allows() -> None:
    """A CA is renewed after two thirds of its life, and all that has to follow needs time."""
    errors = parse_environment(
        {
            "MCA_SIDECAR_IMAGE": IMAGE,
            "MCA_WEBHOOK_CA_SECONDS": "60",
            "MCA_WEBHOOK_LEAF_SECONDS": "31",
            "MCA_WEBHOOK_SETTLE_SECONDS": "11",
        }
    )
    assert errors == (
        "MCA_WEBHOOK_LEAF_SECONDS: '31' is more than a CA's life allows; make it 30 at most",
        "MCA_WEBHOOK_SETTLE_SECONDS: '11' is more than a CA's life allows; make it 10 at most",
    )


def test_every_error_at_once_each_with_its_variable() -> None:
    wrong = {
        setting.variable: "§" for setting in TABLE if setting.variable != "MCA_TOKEN_AUDIENCES"
    }
    errors = parse_environment({**wrong, "MCA_TOKEN_AUDIENCES": "a,"})
    assert isinstance(errors, tuple)
    assert [str(error).split(":")[0] for error in errors] == [setting.variable for setting in TABLE]


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("MCA_WEBHOOK_LISTEN", "localhost:8443"),
        ("MCA_WEBHOOK_LISTEN", "[::]:0"),
        ("MCA_WEBHOOK_LISTEN", "[::]:65536"),
        ("MCA_WEBHOOK_LISTEN", "8443"),
        ("MCA_WEBHOOK_CERTIFICATES", "cert-manager"),
        ("MCA_WEBHOOK_NAMESPACE", "Mca"),
        ("MCA_WEBHOOK_NAMESPACE", "a" * 64),
        ("MCA_WEBHOOK_SERVICE", ""),
        ("MCA_WEBHOOK_CA_SECONDS", "9"),
        ("MCA_WEBHOOK_CA_SECONDS", "315619201"),
        ("MCA_WEBHOOK_LEAF_SECONDS", "4"),
        ("MCA_WEBHOOK_LEAF_SECONDS", "3888001"),
        ("MCA_WEBHOOK_SETTLE_SECONDS", "0"),
        ("MCA_WEBHOOK_SETTLE_SECONDS", "86401"),
        ("MCA_WEBHOOK_DRAIN", "601"),
        ("MCA_WEBHOOK_DRAIN", "-1"),
        ("MCA_SIDECAR_IMAGE", ""),
        ("MCA_SIDECAR_CPU_LIMIT", "0"),
        ("MCA_TOKEN_AUDIENCES", ""),
    ],
)
def test_bounds(variable: str, text: str) -> None:
    errors = parse_environment({"MCA_SIDECAR_IMAGE": IMAGE, variable: text})
    assert isinstance(errors, tuple)
    assert len(errors) == 1
    assert errors[0].startswith(f"{variable}: ")
