"""Owns the questions about the place that MCA is put into: whose the namespace is, what else is
there, and where its API server is.

A namespace that others have made is lent: neither labelled nor deleted. Must not change anything.
"""

from collections.abc import Iterator
from typing import Final

from webhook.admission.outcome import RawObject
from webhook.admission.registration import NAME as REGISTRATION
from webhook.cli.install.applying import fetch_metadata
from webhook.cli.install.objects_there import is_applied_by_us, list_metadata
from webhook.cli.install.paths import KINDS, find_collection, name_object
from webhook.install.names import APP
from webhook.kube import Kube, KubeError

_API_ENDPOINTS: Final = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_OF_API_SERVER: Final = "kubernetes.io/service-name=kubernetes"
_API: Final = "admissionregistration.k8s.io/v1"
# What people keep in a namespace, beside the kinds of ours.
_OTHER_KINDS: Final = (
    ("v1", "Pod", "pods"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("apps/v1", "StatefulSet", "statefulsets"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("batch/v1", "Job", "jobs"),
    ("batch/v1", "CronJob", "cronjobs"),
)
# In every namespace, by Kubernetes itself.
_EVERYWHERE: Final = (("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default"))
_OTHERS: Final = f"app.kubernetes.io/part-of!={APP}"
# cert-manager's Secrets have no label of ours.
_OUR_NAMES: Final = f"{APP}-"


def find_namespace(kube: Kube, name: str) -> RawObject | None:
    """Its metadata; None if it is not there."""
    return fetch_metadata(
        kube, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )


def list_place_problems(kube: Kube, system: str, *, lent: bool) -> Iterator[str]:
    """Why nothing may be installed there; nothing where it may."""
    elsewhere = find_system(kube)
    if elsewhere not in ("", system):
        yield (
            f"MCA is installed in the namespace {elsewhere}: add --system-namespace {elsewhere}, "
            "or uninstall it first"
        )
    there = find_namespace(kube, system)
    if lent and there is None:
        yield f"namespace/{system} is not there: create it, or leave --existing-namespace out"
    elif lent and there is not None and is_applied_by_us(there):
        yield f"namespace/{system} was made by mca install: leave --existing-namespace out"
    elif not lent and there is not None and not is_applied_by_us(there):
        yield (
            f"namespace/{system} is there already, and mca install has not made it: with "
            "--existing-namespace it is used as it is, neither labelled nor ever deleted; or name "
            "another with --system-namespace"
        )


def find_system(kube: Kube) -> str:
    """The namespace whose webhook is registered; empty if there is none."""
    path = find_collection(_API, "MutatingWebhookConfiguration", "")
    query = {"fieldSelector": f"metadata.name={REGISTRATION}"}
    for item in kube.request("GET", path, query=query).document.get("items") or ():
        for webhook in item.get("webhooks") or ():
            service = webhook["clientConfig"].get("service") or {}
            if service.get("namespace"):
                return str(service["namespace"])
    return ""


def find_api_ports(kube: Kube) -> tuple[int, ...]:
    """Of the API server's endpoints; none where that may not be read."""
    try:
        answer = kube.request("GET", _API_ENDPOINTS, query={"labelSelector": _OF_API_SERVER})
    except KubeError:
        return ()
    ports = (port for item in answer.document["items"] for port in item.get("ports") or ())
    return tuple(sorted({int(port["port"]) for port in ports if port.get("port")}))


def list_others(kube: Kube, namespace: str) -> list[str]:
    """What would go with the namespace, and is not part of MCA."""
    paths = [
        (api_version, kind, find_collection(api_version, kind, namespace))
        for (api_version, kind), (_, namespaced) in KINDS.items()
        if namespaced
    ]
    for api_version, kind, plural in _OTHER_KINDS:
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        paths.append((api_version, kind, f"{root}/namespaces/{namespace}/{plural}"))
    return [
        name_object({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
        for api_version, kind, path in paths
        for name in (str(item["name"]) for item in list_metadata(kube, path, _OTHERS))
        if (kind, name) not in _EVERYWHERE and not name.startswith(_OUR_NAMES)
    ]
