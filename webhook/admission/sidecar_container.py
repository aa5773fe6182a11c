"""Owns the sidecar as it stands in a pod: its container, and the volumes it lives on.

Must not know the application, but for the names of its containers. Everything is spelled out with
the defaults that the API server would add: a pod that comes back is compared with it, and what
differs is rebuilt. Its settings are those of sidecar/config.py.
"""

from typing import Any, Final

from webhook.admission import provision
from webhook.admission.annotations import ADMIN_PORT, API_PORT, Tuning
from webhook.admission.capture import PORT as CAPTURED_PORT
from webhook.admission.names import (
    CLIENTS_PATH,
    CLIENTS_VOLUME,
    IDENTITY_PATH,
    IDENTITY_VOLUME,
    ROOT_CA,
    SERVICE_ACCOUNT_PATH,
    SIDECAR,
    TOKEN_VOLUME,
    VARIABLE_FIELDS,
)
from webhook.admission.outcome import RawObject
from webhook.admission.provision import Members
from webhook.admission.quantities import parse_amount
from webhook.admission.settings import InjectionSettings, Resources

# The kubelet asks every second: nothing else of the pod starts before the first success.
_START_ATTEMPTS: Final = 120
# A few files each; memory counts for the pod, so no more than that.
_VOLUME_SIZE: Final = "1Mi"


def build_container(
    settings: InjectionSettings,
    tuning: Tuning,
    containers: list[str],
    arrived: RawObject,
    members: Members = (),
) -> RawObject:
    """The container, for the application's containers of these names.

    `arrived` is the sidecar that the pod brought along, if it did. Nothing of it counts but what
    the API server's own plugins may have set on it a moment ago: the resources that a LimitRange
    gives and a quota asks for, and the pull policy of AlwaysPullImages.
    """
    always = arrived.get("imagePullPolicy") == "Always"
    return {
        "name": SIDECAR,
        "image": settings.image,
        "imagePullPolicy": "Always" if always else "IfNotPresent",
        "restartPolicy": "Always",
        "env": _list_variables(settings, tuning, containers, members),
        "resources": _choose_resources(tuning.resources, arrived.get("resources") or {}),
        "startupProbe": {
            "httpGet": {"path": "/readyz", "port": tuning.admin_port, "scheme": "HTTP"},
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "successThreshold": 1,
            "failureThreshold": _START_ATTEMPTS,
        },
        "securityContext": {
            "runAsUser": settings.uid,
            "runAsGroup": settings.uid,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": IDENTITY_VOLUME, "mountPath": IDENTITY_PATH},
            {"name": CLIENTS_VOLUME, "mountPath": CLIENTS_PATH},
            {"name": TOKEN_VOLUME, "mountPath": SERVICE_ACCOUNT_PATH, "readOnly": True},
            *provision.list_mounts(settings, members),
        ],
    }


def build_volumes(settings: InjectionSettings, members: Members = ()) -> dict[str, RawObject]:
    """The volumes by their names."""
    memory = {"medium": "Memory", "sizeLimit": _VOLUME_SIZE}
    return {
        IDENTITY_VOLUME: {"name": IDENTITY_VOLUME, "emptyDir": dict(memory)},
        CLIENTS_VOLUME: {"name": CLIENTS_VOLUME, "emptyDir": dict(memory)},
        TOKEN_VOLUME: {
            "name": TOKEN_VOLUME,
            "projected": {
                "defaultMode": 0o644,
                # As the API server's own plugin writes it: 3607 s mark a token that is renewed.
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {
                        "configMap": {
                            "name": ROOT_CA,
                            "items": [{"key": "ca.crt", "path": "ca.crt"}],
                        }
                    },
                    {
                        "downwardAPI": {
                            "items": [
                                {"path": "namespace", "fieldRef": _field("metadata.namespace")}
                            ]
                        }
                    },
                ],
            },
        },
        **provision.build_volumes(settings, members),
    }


def _list_variables(
    settings: InjectionSettings, tuning: Tuning, containers: list[str], members: Members
) -> list[RawObject]:
    texts = {"MCA_CONTAINERS": ",".join(containers)}
    ports = [tuning.api_port, *([CAPTURED_PORT] if tuning.captures_names else [])]
    if ports != [API_PORT]:
        texts["MCA_API_LISTEN"] = ",".join(f"127.0.0.1:{port},[::1]:{port}" for port in ports)
    if tuning.admin_port != ADMIN_PORT:
        texts["MCA_ADMIN_LISTEN"] = f"[::]:{tuning.admin_port}"
    if tuning.log_level != "info":
        texts["MCA_LOG_LEVEL"] = tuning.log_level
    texts |= provision.list_texts(settings, members)
    return [
        *(
            {"name": name, "valueFrom": {"fieldRef": _field(of)}}
            for name, of in VARIABLE_FIELDS.items()
        ),
        *({"name": name, "value": text} for name, text in texts.items()),
    ]


def _field(path: str) -> RawObject:
    return {"apiVersion": "v1", "fieldPath": path}


def _choose_resources(resources: Resources, arrived: RawObject) -> RawObject:
    ours = {
        "requests": {"cpu": resources.cpu_request, "memory": resources.memory_request},
        "limits": {"cpu": resources.cpu_limit, "memory": resources.memory_limit},
    }
    return {
        kind: merged
        for kind, wanted in ours.items()
        if (merged := _merge(wanted, arrived.get(kind) or {}))
    }


def _merge(wanted: dict[str, str], arrived: dict[str, Any]) -> dict[str, str]:
    """Ours, in the spelling of what is there if that says the same; others where we say nothing."""
    merged = {}
    for name in ("cpu", "memory", "ephemeral-storage"):
        text = wanted.get(name) or ""
        there = arrived.get(name)
        amount = parse_amount(there)
        if amount is not None and (not text or amount == parse_amount(text)):
            text = str(there)
        if text:
            merged[name] = text
    return merged
