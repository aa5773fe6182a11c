{{- /* Made by `make manifests` from webhook/install: edit that, not this. */ -}}
{{- define "mca.strings" -}}
[{{ range $index, $text := . }}{{ if $index }}, {{ end }}{{ toRawJson $text }}{{ end }}]
{{- end }}
