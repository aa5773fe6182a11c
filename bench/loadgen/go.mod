module multi-cluster-adapter/bench/loadgen

go 1.25
