"""Owns `mca webhook`: settings, certificate, then the server; and what to say when one is wrong.

Must not serve: webhook/admission/server.py does.
"""

import asyncio
import os

from sidecar.log import claim_descriptors
from webhook.admission.environment import TABLE, ServerSettings, Setting, parse_environment
from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra

_USAGE = "mca webhook"
_DESCRIPTION = """\
Serves the admission webhook that gives pods their sidecar. It reads nothing of the cluster and
needs no rights in it. Everything is set by environment variables:
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
        description="\n".join([_DESCRIPTION, *map(_describe, TABLE)]),
        epilog=_EPILOG,
    )
    parser.parse_args(arguments)
    if lacks_extra("webhook", "aiohttp", "prometheus_client"):
        return EXIT_USAGE
    claim_descriptors()
    settings = parse_environment(os.environ)
    if not isinstance(settings, ServerSettings):
        complain("\n".join(settings))
        return EXIT_USAGE
    from webhook.admission.server import serve
    from webhook.admission.serving_certificate import ServingCertificate

    certificate = ServingCertificate(settings.cert_path, settings.key_path)
    if problem := certificate.load():
        complain(f"MCA_WEBHOOK_CERT, MCA_WEBHOOK_KEY: {problem}")
        return EXIT_USAGE
    return asyncio.run(serve(settings, certificate))


def _describe(setting: Setting) -> str:
    shown = f" [{setting.default}]" if setting.default else ""
    return f"  {setting.variable:<28} {setting.meaning}{shown}"
