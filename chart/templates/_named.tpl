{{- /* Made by `make manifests` from webhook/install: edit that, not this. */ -}}
{{- define "mca.strings" -}}
[{{ range $index, $text := . }}{{ if $index }}, {{ end }}{{ toRawJson $text }}{{ end }}]
{{- end }}
{{- define "mca.previousSidecars" -}}
{{- $images := .Values.image.previousSidecars }}
{{- range (lookup "apps/v1" "ReplicaSet" .Release.Namespace "").items }}
{{- $labels := .metadata.labels | default dict }}
{{- $name := get $labels "app.kubernetes.io/name" }}
{{- $component := get $labels "app.kubernetes.io/component" }}
{{- $pods := int (dig "status" "replicas" 0 .) }}
{{- if and (eq $name "mca") (eq $component "webhook") (gt $pods 0) }}
{{- range .spec.template.spec.containers }}
{{- range .env }}
{{- $image := .value | default "" }}
{{- $isImage := regexMatch "@sha256:[0-9a-f]{64}$" $image }}
{{- if and (eq .name "MCA_SIDECAR_IMAGE") $isImage (ne $image $.Values.image.sidecar) }}
{{- $images = append $images $image }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- include "mca.strings" (uniq $images) }}
{{- end }}
