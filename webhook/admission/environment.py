"""Owns the settings of `mca webhook`: the table of variables, and how they become values.

Must not read files. Every error is reported at once, each names its variable.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sidecar.log import LEVELS
from webhook.admission.quantities import parse_amount
from webhook.admission.settings import (
    POLICIES,
    InjectionSettings,
    Resources,
    find_broker,
)
from webhook.certificates.settings import CertificateSettings, read_settings
from webhook.serving.setting_table import Reader, Setting
from webhook.serving.setting_values import (
    NONE,
    list_of,
    listening_at,
    one_of,
    parse_audience,
    parse_image,
    whole_number,
)

# No name may end like those that a Service called mca-webhook puts into every container
# (`…_SERVICE_HOST`, `…_PORT`, `…_PORT_8443_TCP`).
TABLE: Final = (
    Setting("MCA_WEBHOOK_LISTEN", "[::]:8443", "where to serve, over TLS"),
    Setting(
        "MCA_WEBHOOK_CERTIFICATES",
        "files",
        "files: as below; own: the replicas make their own, by a CA in the Secret mca-webhook-ca",
    ),
    Setting(
        "MCA_WEBHOOK_CERT", "/var/run/mca/webhook/tls.crt", "certificate, read again on change"
    ),
    Setting("MCA_WEBHOOK_KEY", "/var/run/mca/webhook/tls.key", "its private key"),
    Setting("MCA_WEBHOOK_NAMESPACE", "mca-system", "MCA's own, with its Secret and Services"),
    Setting("MCA_WEBHOOK_SERVICE", "mca-webhook", "own: the Service that API servers call"),
    Setting("MCA_WEBHOOK_CA_SECONDS", "7776000", "own: the life of a CA, renewed after two thirds"),
    Setting("MCA_WEBHOOK_LEAF_SECONDS", "86400", "own: the life of a serving certificate"),
    Setting("MCA_WEBHOOK_SETTLE_SECONDS", "300", "own: how long a CA is trusted before it signs"),
    Setting("MCA_WEBHOOK_DRAIN", "5", "seconds from SIGTERM in which new calls are still taken"),
    Setting("MCA_SIDECAR_IMAGE", "", "the sidecar's image by its digest; must be set"),
    Setting(
        "MCA_SIDECAR_POLICY",
        "home",
        "what sidecars live by: home alone, or what the controller writes",
    ),
    Setting("MCA_SIDECAR_LOG_LEVEL", "info", "debug, info, warning or error"),
    Setting("MCA_SIDECAR_CPU_REQUEST", "10m", "the CPU that a sidecar requests, or none"),
    Setting("MCA_SIDECAR_MEMORY_REQUEST", "32Mi", "the memory that it requests, or none"),
    Setting("MCA_SIDECAR_CPU_LIMIT", "none", "the CPU that it may use at most"),
    Setting("MCA_SIDECAR_MEMORY_LIMIT", "64Mi", "the memory that it may use at most, or none"),
    Setting(
        "MCA_TOKEN_AUDIENCES",
        "none",
        "comma-separated: tokens for these may be in containers of enforced namespaces",
    ),
)
_DRAIN_S: Final = (0, 600)
_NO_ITEMS: Final[tuple[str, ...]] = ()


class ServerSettings(NamedTuple):
    """What the process needs, and what each sidecar gets."""

    host: str
    port: int
    certificates: CertificateSettings
    drain_s: int
    injection: InjectionSettings


def parse_environment(env: Mapping[str, str]) -> ServerSettings | tuple[str, ...]:
    """Read the environment; a tuple holds every error there is, one sentence each."""
    read = Reader(TABLE, env)
    host, port = read("MCA_WEBHOOK_LISTEN", listening_at("[::]:8443"), ("", 0))
    certificates = read_settings(read)
    drain_s = read("MCA_WEBHOOK_DRAIN", whole_number(*_DRAIN_S, " of seconds"), 0)
    injection = InjectionSettings(
        image=read("MCA_SIDECAR_IMAGE", parse_image, ""),
        policy=read("MCA_SIDECAR_POLICY", one_of(POLICIES), "home"),
        log_level=read("MCA_SIDECAR_LOG_LEVEL", one_of(LEVELS), ""),
        resources=Resources(
            cpu_request=read("MCA_SIDECAR_CPU_REQUEST", _parse_quantity, ""),
            memory_request=read("MCA_SIDECAR_MEMORY_REQUEST", _parse_quantity, ""),
            cpu_limit=read("MCA_SIDECAR_CPU_LIMIT", _parse_quantity, ""),
            memory_limit=read("MCA_SIDECAR_MEMORY_LIMIT", _parse_quantity, ""),
        ),
        audiences=frozenset(read("MCA_TOKEN_AUDIENCES", list_of(parse_audience), _NO_ITEMS)),
        broker=find_broker(certificates.namespace),
    )
    return tuple(read.errors) or ServerSettings(host, port, certificates, drain_s, injection)


def _parse_quantity(text: str) -> str:
    if text == NONE:
        return ""
    if not parse_amount(text):
        raise ValueError(f"{text!r} is not a quantity; write 20m, 48Mi or none")
    return text
