"""Owns the controller's pods: what the process in them is told.

Must not say what the process does with it, nor what its account may do: controller_rights.py does.
"""

from typing import Final

from webhook.install.names import BROKER_TLS_SECRET, OF_CONTROLLER
from webhook.install.remarks import RawDocument
from webhook.install.settings import InstallSettings
from webhook.install.workload import DRAIN_S, Workload, build_workload, write_variables
from webhook.resources.names import BROKER_PORT, BROKER_SERVICE, CONTROLLER

_CERTIFICATE_PATH: Final = "/var/run/mca/controller"


def build_controller(settings: InstallSettings) -> list[RawDocument]:
    """The pods, and what keeps some of them."""
    controller = Workload(
        name=CONTROLLER,
        component=OF_CONTROLLER,
        replicas=settings.controller_replicas,
        port=BROKER_PORT,
        resources={kind: dict(each) for kind, each in settings.controller_resources.items()},
        environment=_environment(settings),
        certificate=(BROKER_TLS_SECRET, _CERTIFICATE_PATH) if settings.cert_manager else None,
    )
    return build_workload(controller, settings)


def _environment(settings: InstallSettings) -> list[RawDocument]:
    images = (settings.sidecar_image, *settings.earlier_sidecar_images)
    texts = {
        "MCA_CONTROLLER_CERTIFICATES": "files" if settings.cert_manager else "own",
        "MCA_CONTROLLER_SERVICE": BROKER_SERVICE,
        "MCA_CONTROLLER_DRAIN": str(DRAIN_S),
        "MCA_CONTROLLER_SIDECAR_IMAGES": ",".join(images),
        "MCA_CONTROLLER_TOKEN_AUDIENCES": ",".join(settings.audiences) or "none",
        "MCA_CONTROLLER_MEMBER_AUDIENCES": ",".join(settings.member_audiences) or "none",
        "MCA_CONTROLLER_PROFILE_NAMESPACES": ",".join(settings.profile_namespaces) or "none",
    }
    fields = {
        "MCA_CONTROLLER_NAMESPACE": "metadata.namespace",
        "MCA_CONTROLLER_IDENTITY": "metadata.name",
    }
    return write_variables(texts, fields)
