"""Owns what the chart does that no object does: named templates, and what it refuses.

Must not hold an object.
"""

from typing import Final

from webhook.install.names import APP
from webhook.install.settings import RESERVED

# As Python writes a list of strings into CEL. toRawJson leaves <, > and & as they are.
_STRINGS: Final = """\
{{- define "mca.strings" -}}
[{{ range $index, $text := . }}{{ if $index }}, {{ end }}{{ toRawJson $text }}{{ end }}]
{{- end }}
"""
# ReplicaSets that have pods: also those of an upgrade that did not end. Without a cluster none.
_PREVIOUS: Final = f"""\
{{{{- define "mca.previousSidecars" -}}}}
{{{{- $images := .Values.image.previousSidecars }}}}
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
{{{{- include "mca.strings" (uniq $images) }}}}
{{{{- end }}}}
"""
NAMED: Final = _STRINGS + _PREVIOUS
REFUSALS: Final = f"""\
{{{{- if or (eq .Release.Namespace "default") (hasPrefix "{RESERVED}" .Release.Namespace) }}}}
{{{{- fail (printf "namespace: %s is not MCA's alone; name another: \
--namespace NAME --create-namespace" .Release.Namespace) }}}}
{{{{- end }}}}
"""
