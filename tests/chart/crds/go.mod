// Not to be built: the modules hold the CustomResourceDefinitions that the chart's objects are of.
module chart/crds

go 1.26.6

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
