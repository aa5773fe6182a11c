"""Owns `mca webhook`: settings, certificates, then the server; and what to say when one is wrong.

Must not serve: webhook/admission/server.py does.
"""

import asyncio
import os
from typing import TYPE_CHECKING

from sidecar.log import claim_descriptors
from webhook.admission.environment import TABLE, ServerSettings, parse_environment
from webhook.admission.provision import NoMembers
from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra
from webhook.serving.setting_table import describe_settings

if TYPE_CHECKING:
    from webhook.admission.provision import MemberSource
    from webhook.certificates.file_certificate import CertificateSource
    from webhook.certificates.settings import CertificateSettings

_USAGE = "mca webhook"
_DESCRIPTION = """\
Serves the admission webhook that gives pods their sidecar. With certificates of its own it keeps a
CA in one Secret and the caBundle of one registration; for sidecars that live by the controller's
policy it follows Clusters, Tenants and namespaces. With files and home it reads nothing of the
cluster. Everything is set by environment variables:
"""
_EPILOG = """\
paths: /inject/enforced, /inject/optional and /inject/standard by the labels of the namespace;
/livez, /readyz, /metrics.

exit codes: 0 drained after SIGTERM, 64 a bad setting or certificate, 69 no port."""


def main(arguments: list[str]) -> int:
    """Run the webhook to its end; the exit code."""
    parser = Parser(
        prog="mca webhook",
        usage=_USAGE,
        description="\n".join([_DESCRIPTION, *describe_settings(TABLE)]),
        epilog=_EPILOG,
    )
    parser.parse_args(arguments)
    if lacks_extra("webhook", "aiohttp", "kubernetes", "prometheus_client"):
        return EXIT_USAGE
    claim_descriptors()
    settings = parse_environment(os.environ)
    if not isinstance(settings, ServerSettings):
        complain("\n".join(settings))
        return EXIT_USAGE
    certificate = _open_certificate(settings.certificates)
    members = _open_members(settings)
    if isinstance(certificate, str) or isinstance(members, str):
        complain("\n".join(each for each in (certificate, members) if isinstance(each, str)))
        return EXIT_USAGE
    from webhook.admission.server import serve

    return asyncio.run(serve(settings, certificate, members))


def _open_members(settings: ServerSettings) -> "MemberSource | str":
    """Who knows which members a pod's sidecar reaches; a text tells what is wrong."""
    if settings.injection.policy == "home":
        return NoMembers()
    from webhook.admission.membership import Membership
    from webhook.kube import KubeError, open_cluster

    try:
        kube = open_cluster()
    except KubeError as error:
        return f"MCA_SIDECAR_POLICY: controller needs the API server: {error}"
    membership = Membership(settings.certificates.namespace)
    membership.follow(kube)
    return membership


def _open_certificate(settings: "CertificateSettings") -> "CertificateSource | str":
    """Where the certificate comes from; a text tells what is wrong."""
    from webhook.certificates.file_certificate import FileCertificate

    if not settings.own:
        files = FileCertificate(settings.cert_path, settings.key_path)
        problem = files.load()
        return f"MCA_WEBHOOK_CERT, MCA_WEBHOOK_KEY: {problem}" if problem else files
    from webhook.certificates.own_certificate import OwnCertificate
    from webhook.kube import KubeError, open_cluster

    try:
        kube = open_cluster()
    except KubeError as error:
        return f"MCA_WEBHOOK_CERTIFICATES: own needs the API server: {error}"
    return OwnCertificate(kube, settings.namespace, settings.service, settings.lifetimes)
