// Not to be built: the module holds the CustomResourceDefinition of ClusterProfiles.
module controller/inventory

go 1.26.6

require sigs.k8s.io/cluster-inventory-api v0.1.2
