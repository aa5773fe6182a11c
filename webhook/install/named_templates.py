"""Owns what the chart does that no object does: named templates, and what it refuses.

Must not hold an object.
"""

from typing import Final

from webhook.install.names import APP
from webhook.install.settings import RESERVED
from webhook.resources.names import CONTROLLER

# As Python writes a list of strings into CEL. toRawJson leaves <, > and & as they are.
_STRINGS: Final = """\
{{- define "mca.strings" -}}
[{{ range $index, $text := . }}{{ if $index }}, {{ end }}{{ toRawJson $text }}{{ end }}]
{{- end }}
"""
# The same behind those that are in the list already.
_MORE_STRINGS: Final = """\
{{- define "mca.moreStrings" -}}
{{ range . }}, {{ toRawJson . }}{{ end }}
{{- end }}
"""
# ReplicaSets that have pods: also those of an upgrade that did not end. Without a cluster none.
_LIVING: Final = f"""\
{{{{- define "mca.livingSidecars" -}}}}
{{{{- $images := list }}}}
{{{{- range (lookup "apps/v1" "ReplicaSet" .Release.Namespace "").items }}}}
{{{{- $labels := .metadata.labels | default dict }}}}
{{{{- $name := get $labels "app.kubernetes.io/name" }}}}
{{{{- $component := get $labels "app.kubernetes.io/component" }}}}
{{{{- $pods := int (dig "status" "replicas" 0 .) }}}}
{{{{- if and (eq $name "{APP}") (eq $component "webhook") (gt $pods 0) }}}}
{{{{- range .spec.template.spec.containers }}}}
{{{{- range .env }}}}
{{{{- $image := .value | default "" }}}}
{{{{- $isImage := regexMatch "@sha256:[0-9a-f]{{64}}$" $image }}}}
{{{{- if and (eq .name "MCA_SIDECAR_IMAGE") $isImage (ne $image $.Values.image.sidecar) }}}}
{{{{- $images = append $images $image }}}}
{{{{- end }}}}
{{{{- end }}}}
{{{{- end }}}}
{{{{- end }}}}
{{{{- end }}}}
{{{{- toRawJson $images }}}}
{{{{- end }}}}
"""
_PREVIOUS: Final = """\
{{- define "mca.previousSidecars" -}}
{{- $living := fromJsonArray (include "mca.livingSidecars" .) }}
{{- include "mca.strings" (uniq (concat .Values.image.previousSidecars $living)) }}
{{- end }}
"""
# What the controller that is there knows of, and what webhooks that are there put in: a sidecar of
# any of these may still run.
_EARLIER: Final = f"""\
{{{{- define "mca.earlierSidecars" -}}}}
{{{{- $images := .Values.image.earlierSidecars }}}}
{{{{- $there := lookup "apps/v1" "Deployment" .Release.Namespace "{CONTROLLER}" }}}}
{{{{- range (dig "spec" "template" "spec" "containers" list $there) }}}}
{{{{- range .env }}}}
{{{{- if eq .name "MCA_CONTROLLER_SIDECAR_IMAGES" }}}}
{{{{- $images = concat $images (splitList "," (.value | default "")) }}}}
{{{{- end }}}}
{{{{- end }}}}
{{{{- end }}}}
{{{{- $images = concat $images (fromJsonArray (include "mca.livingSidecars" .)) }}}}
{{{{- range (without (uniq $images) .Values.image.sidecar "") }}}},{{{{ . }}}}{{{{- end }}}}
{{{{- end }}}}
"""
NAMED: Final = _STRINGS + _MORE_STRINGS + _LIVING + _PREVIOUS + _EARLIER
REFUSALS: Final = f"""\
{{{{- if or (eq .Release.Namespace "default") (hasPrefix "{RESERVED}" .Release.Namespace) }}}}
{{{{- fail (printf "namespace: %s is not MCA's alone; name another: \
--namespace NAME --create-namespace" .Release.Namespace) }}}}
{{{{- end }}}}
"""
