"""Owns `mca controller`: settings, certificates, then the process; what to say if one is wrong.

Must not run anything: webhook/controller/engine/process.py does.
"""

import asyncio
import os

from sidecar.log import claim_descriptors, set_level
from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra
from webhook.controller.engine.settings import TABLE, ControllerSettings, parse_environment
from webhook.serving.setting_table import describe_settings

_USAGE = "mca controller"
_DESCRIPTION = """\
Makes Clusters, Routes and Tenants so: compiles a policy for each namespace, provisions tenants,
looks after members, and hands credentials to sidecars. One replica at a time writes, by the Lease
mca-controller. Everything is set by environment variables:
"""
_EPILOG = """\
paths: /v1/credentials/CLUSTER and /v1/reports for sidecars; /livez, /readyz, /metrics.

exit codes: 0 drained after SIGTERM, 64 a bad setting or certificate, 69 no port, 70 a
fault in what follows the Lease."""


def main(arguments: list[str]) -> int:
    """Run the controller to its end; the exit code."""
    parser = Parser(
        prog="mca controller",
        usage=_USAGE,
        description="\n".join([_DESCRIPTION, *describe_settings(TABLE)]),
        epilog=_EPILOG,
    )
    parser.parse_args(arguments)
    if lacks_extra("controller", "aiohttp", "kubernetes", "prometheus_client"):
        return EXIT_USAGE
    claim_descriptors()
    settings = parse_environment(os.environ, os.urandom(4).hex())
    if not isinstance(settings, ControllerSettings):
        complain("\n".join(settings))
        return EXIT_USAGE
    set_level(settings.log_level)
    from webhook.certificates.broker_certificate import open_certificate
    from webhook.controller.broker.mounting import mount_broker
    from webhook.controller.composition import build_parts
    from webhook.controller.engine.process import serve
    from webhook.kube import KubeError, open_cluster

    try:
        kube = open_cluster()
    except KubeError as error:
        complain(f"the controller needs the API server: {error}")
        return EXIT_USAGE
    certificate = open_certificate(settings, kube)
    if isinstance(certificate, str):
        complain(certificate)
        return EXIT_USAGE
    return asyncio.run(serve(kube, settings, certificate, build_parts, mount_broker))
