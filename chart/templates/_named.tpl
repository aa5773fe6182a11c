{{- /* Made by `make manifests` from webhook/install: edit that, not this. */ -}}
{{- define "mca.strings" -}}
[{{ range $index, $text := . }}{{ if $index }}, {{ end }}{{ toRawJson $text }}{{ end }}]
{{- end }}
{{- define "mca.moreStrings" -}}
{{ range . }}, {{ toRawJson . }}{{ end }}
{{- end }}
{{- define "mca.livingSidecars" -}}
{{- $images := list }}
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
{{- toRawJson $images }}
{{- end }}
{{- define "mca.previousSidecars" -}}
{{- $living := fromJsonArray (include "mca.livingSidecars" .) }}
{{- include "mca.strings" (uniq (concat .Values.image.previousSidecars $living)) }}
{{- end }}
{{- define "mca.earlierSidecars" -}}
{{- $images := .Values.image.earlierSidecars }}
{{- $there := lookup "apps/v1" "Deployment" .Release.Namespace "mca-controller" }}
{{- range (dig "spec" "template" "spec" "containers" list $there) }}
{{- range .env }}
{{- if eq .name "MCA_CONTROLLER_SIDECAR_IMAGES" }}
{{- $images = concat $images (splitList "," (.value | default "")) }}
{{- end }}
{{- end }}
{{- end }}
{{- $images = concat $images (fromJsonArray (include "mca.livingSidecars" .)) }}
{{- range (without (uniq $images) .Values.image.sidecar "") }},{{ . }}{{- end }}
{{- end }}
