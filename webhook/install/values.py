"""Owns the chart's values: names, defaults, meaning, what is accepted, and which setting each is.

Must not build objects, nor know where in them a value ends up: template.py finds that out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.guards.settings import (
    ALL_GROUPS,
    ANONYMOUS,
    API_SERVER,
    NAMESPACE_GROUPS,
    OUR_AUDIENCES,
)
from webhook.install.settings import LEVELS, MAX_REPLICAS, InstallSettings

RawSchema = dict[str, Any]

# What Python calls printable, and not what would part a list.
_TEXT: Final = r"^([^\p{C}\p{Z}]| )+$"
_AUDIENCE: Final = r"^[^\p{C}\p{Z},]+( +[^\p{C}\p{Z},]+)*$"
_IMAGE: Final = r"^[a-z0-9][a-zA-Z0-9._:/-]{0,250}@sha256:[0-9a-f]{64}$"
_NAME: Final = r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$"
_LABEL: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_QUANTITY: Final = r"^(none|[0-9]{1,15}(\.[0-9]{1,9})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?)$"
_EVERYBODY: Final[RawSchema] = {
    "anyOf": [{"enum": list(ALL_GROUPS)}, {"pattern": f"^{re.escape(NAMESPACE_GROUPS)}"}]
}
_NO_AUDIENCE: Final[RawSchema] = {
    "anyOf": [
        {"const": "none"},
        {"pattern": f"^{re.escape(API_SERVER)}"},
        {"pattern": f"^{re.escape(OUR_AUDIENCES)}"},
    ]
}
NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the chart.

    `probe` is what the setting is given to see where it goes: a value of its own, found nowhere
    else. `leaf` makes what stands there of the value, the named template `written` makes a list in
    CEL of it, `joined` what more is in a list, each as `glue` says. `optional`: left out where it
    is empty.
    """

    path: str
    field: str
    probe: Any
    schema: Mapping[str, Any]
    text: str
    leaf: str = "{} | toRawJson"
    written: str = '"mca.strings" {}'
    joined: str = ""
    glue: str = ",{}"
    optional: bool = False
    required: bool = False

    def default(self) -> Any:
        """As it stands in values.yaml; None where there is none."""
        name, _, part = self.field.partition(".")
        plain = InstallSettings(sidecar_image="", control_image="")
        value = getattr(plain, name)
        if part:
            return getattr(value, part) or NONE
        return list(value) if isinstance(value, tuple) else value


def _texts(pattern: str, **more: Any) -> RawSchema:
    item = {"type": "string", "pattern": pattern, "maxLength": 1024, **more}
    return {"type": "array", "items": item}


def _quantity(part: str, path: str, text: str) -> Value:
    return Value(
        path=f"sidecar.{path}",
        field=f"sidecar_resources.{part}",
        probe=f"probe-{part}",
        schema={"type": "string", "pattern": _QUANTITY},
        text=text,
    )


def _image(name: str, text: str) -> Value:
    return Value(
        path=f"image.{name}",
        field=f"{name}_image",
        probe=f"probe.invalid/{name}@sha256:{'1' * 64}",
        schema={"type": "string", "pattern": _IMAGE},
        text=text,
        required=True,
    )


def _switch(path: str, field: str, text: str) -> Value:
    return Value(path, field, probe=True, schema={"type": "boolean"}, text=text)


_RESOURCES: Final[RawSchema] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number"]},
}
_BOTH_RESOURCES: Final[RawSchema] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"requests": _RESOURCES, "limits": _RESOURCES},
}
VALUES: Final = (
    _image("sidecar", "The image of the sidecars by its digest: registry/name@sha256:…; required"),
    _image(
        "control", "The image of both processes by its digest: registry/name@sha256:…; required"
    ),
    Value(
        path="image.previousSidecars",
        field="previous_sidecar_images",
        probe=(f"probe.invalid/previous@sha256:{'1' * 64}",),
        schema=_texts(_IMAGE),
        text="Sidecar images that guards accept too, beside those that helm upgrade finds webhooks "
        "with. Where the chart is rendered without the cluster (Argo CD, helm template), name the "
        "one before in an upgrade to another, or enforced namespaces get no pods while webhooks "
        "are replaced",
        written='"mca.previousSidecars" .',
    ),
    Value(
        path="image.earlierSidecars",
        field="earlier_sidecar_images",
        probe=(f"probe.invalid/earlier@sha256:{'1' * 64}",),
        schema=_texts(_IMAGE),
        text="Sidecar images of earlier releases that pods still have, beside those that helm "
        "upgrade finds: their sidecars get credentials from the broker too",
        joined='"mca.earlierSidecars" .',
    ),
    Value(
        path="image.pullSecrets",
        field="pull_secrets",
        probe=("probe-pull-secret",),
        schema=_texts(_NAME),
        text="Names of Secrets here, with which that image is pulled",
        optional=True,
    ),
    Value(
        path="admins.users",
        field="admin_users",
        probe=("probe-user",),
        schema=_texts(_TEXT, **{"not": {"const": ANONYMOUS}}),
        text="Users who may label namespaces with mca.io/… and look into sidecars",
    ),
    Value(
        path="admins.groups",
        field="admin_groups",
        probe=("probe-group",),
        schema=_texts(_TEXT, **{"not": _EVERYBODY}),
        text="Groups who may; at least one user or group is needed",
    ),
    Value(
        path="controllers",
        field="controllers",
        probe=("probe-controllers",),
        schema=_texts(_TEXT, **{"not": {"const": ANONYMOUS}}),
        text="Users whom the guards trust beside MCA's own controller: on a member, the account "
        "of its home cluster",
        joined='"mca.moreStrings" .Values.controllers',
        glue=', "{}"',
    ),
    Value(
        path="audiences",
        field="audiences",
        probe=("probe-audience",),
        schema=_texts(_AUDIENCE, **{"not": _NO_AUDIENCE}),
        text="Other services' audiences: tokens for these may be in containers of enforced "
        "namespaces. Never the API server's own",
        leaf='join "," {} | default "none" | toRawJson',
    ),
    Value(
        path="memberAudiences",
        field="member_audiences",
        probe=("probe-member-audience",),
        schema=_texts(_AUDIENCE, **{"not": _NO_AUDIENCE}),
        text="Audiences that Clusters may name, beside their own mca.io/cluster/UID: such tokens "
        "must open no cluster but the one",
        leaf='join "," {} | default "none" | toRawJson',
    ),
    Value(
        path="profileNamespaces",
        field="profile_namespaces",
        probe=("probe-profile-namespace",),
        schema=_texts(_LABEL),
        text="Namespaces whose ClusterProfiles are read as Clusters; none by default",
        leaf='join "," {} | default "none" | toRawJson',
    ),
    Value(
        path="webhook.replicas",
        field="replicas",
        probe=41714171,
        schema={"type": "integer", "minimum": 1, "maximum": MAX_REPLICAS},
        text="How many webhooks run; with one, no labelled pod starts while it moves",
        leaf="{} | int",
    ),
    Value(
        path="webhook.resources",
        field="webhook_resources",
        probe={"requests": {"cpu": "probe"}},
        schema=_BOTH_RESOURCES,
        text="Requests and limits of each webhook; limits: null for none",
    ),
    Value(
        path="webhook.priorityClassName",
        field="priority_class",
        probe="probe-priority",
        schema={"type": "string", "pattern": rf"^$|{_NAME}"},
        text='How important both are: without webhooks no labelled pod starts. "" for no class',
        optional=True,
    ),
    Value(
        path="webhook.nodeSelector",
        field="node_selector",
        probe={"probe": "node"},
        schema={"type": "object", "additionalProperties": {"type": "string"}},
        text="Labels of the nodes on which both may run",
        optional=True,
    ),
    Value(
        path="webhook.tolerations",
        field="tolerations",
        probe=({"key": "probe-toleration"},),
        schema={
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "key": {"type": "string"},
                    "operator": {"enum": ["Exists", "Equal"]},
                    "value": {"type": "string"},
                    "effect": {"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
                    "tolerationSeconds": {"type": "integer"},
                },
            },
        },
        text="Taints of nodes that do not keep them away",
        optional=True,
    ),
    Value(
        path="controller.replicas",
        field="controller_replicas",
        probe=41714173,
        schema={"type": "integer", "minimum": 1, "maximum": MAX_REPLICAS},
        text="How many controllers run: one writes, each gives out credentials",
        leaf="{} | int",
    ),
    Value(
        path="controller.resources",
        field="controller_resources",
        probe={"requests": {"cpu": "probe-controller"}},
        schema=_BOTH_RESOURCES,
        text="Requests and limits of each controller; limits: null for none",
    ),
    Value(
        path="sidecar.logLevel",
        field="sidecar_log_level",
        probe="probe-level",
        schema={"enum": list(LEVELS)},
        text="debug, info, warning or error; a pod's annotation may say otherwise",
    ),
    _quantity("cpu_request", "cpuRequest", "What a sidecar requests; none for nothing"),
    _quantity("memory_request", "memoryRequest", "The same of memory"),
    _quantity("cpu_limit", "cpuLimit", "What a sidecar may use at most; none for no limit"),
    _quantity("memory_limit", "memoryLimit", "The same of memory"),
    Value(
        path="networkPolicy.apiServerPorts",
        field="api_server_ports",
        probe=(41714172,),
        schema={
            "type": "array",
            "minItems": 1,
            "items": {"type": "integer", "minimum": 1, "maximum": 65535},
        },
        text="Ports of the API server's endpoints (kubectl get endpointslices kubernetes): where "
        "the webhook may connect to",
    ),
    _switch(
        "certManager.enabled",
        "cert_manager",
        "Certificates by cert-manager, which must be there, in place of the webhook's own",
    ),
    _switch(
        "serviceMonitor.enabled",
        "service_monitor",
        "A ServiceMonitor for the Prometheus operator, which must be there",
    ),
    _switch(
        "dashboard.enabled",
        "dashboard",
        "A dashboard, in a ConfigMap with the label that Grafana's chart looks for",
    ),
)
