"""Owns which files of the tree are made of the objects, and what stands in each.

Must not write one: `python -m webhook.install` does.
"""

from typing import Final

from webhook.guards.rendering import render_yaml as render_guards
from webhook.guards.settings import GuardSettings
from webhook.install.named_templates import NAMED, REFUSALS
from webhook.install.names import CA_MAP, DASHBOARD_MAP, WEBHOOK
from webhook.install.settings import InstallSettings
from webhook.install.template import Document, make_documents
from webhook.install.template_text import TemplateWriter
from webhook.install.text import render_yaml
from webhook.install.value_files import render_schema, render_values
from webhook.resources.names import CONTROLLER

# Of nobody's: a file with these starts nothing until they are replaced.
SIDECAR_IMAGE: Final = f"mca@sha256:{'0' * 64}"
CONTROL_IMAGE: Final = f"mca-control@sha256:{'0' * 64}"
_MADE: Final = "Made by `make manifests` from webhook/install: edit that, not this."
_TEMPLATES: Final = {
    "definitions": ("CustomResourceDefinition",),
    "rights": ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    "certificates": ("Secret", f"ConfigMap {CA_MAP}", "Issuer", "Certificate"),
    "guards": ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    "network": ("Service", "NetworkPolicy", "FlowSchema"),
    "webhook": (f"Deployment {WEBHOOK}", f"PodDisruptionBudget {WEBHOOK}", "ResourceQuota"),
    "controller": (f"Deployment {CONTROLLER}", f"PodDisruptionBudget {CONTROLLER}"),
    "monitoring": ("ServiceMonitor", f"ConfigMap {DASHBOARD_MAP}"),
    "registration": ("MutatingWebhookConfiguration",),
}


def render_files() -> dict[str, str]:
    """Every file that is made, by its path in the tree."""
    settings = InstallSettings(sidecar_image=SIDECAR_IMAGE, control_image=CONTROL_IMAGE)
    files = {
        "manifests/install.yaml": f"# {_MADE}\n{render_yaml(settings)}",
        "manifests/guards.yaml": render_guards(GuardSettings(image=SIDECAR_IMAGE)),
        "chart/values.yaml": f"# {_MADE}\n{render_values()}",
        "chart/values.schema.json": render_schema(),
        "chart/templates/_named.tpl": f"{{{{- /* {_MADE} */ -}}}}\n{NAMED}",
        "chart/templates/refusals.yaml": f"# {_MADE}\n{REFUSALS}",
    }
    documents = make_documents()
    for name, kinds in _TEMPLATES.items():
        chosen = [document for document in documents if _is_one(document, kinds)]
        files[f"chart/templates/{name}.yaml"] = f"# {_MADE}\n{_write(chosen)}"
    return files


def _is_one(document: Document, kinds: tuple[str, ...]) -> bool:
    """Of one of these kinds, or an object of one by its name."""
    named = f"{document.kind} {document.body['metadata']['name']}"
    return document.kind in kinds or named in kinds


def _write(documents: list[Document]) -> str:
    return TemplateWriter().write_template(documents)
