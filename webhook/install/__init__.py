"""Everything that is put into a cluster, from one source: as objects, as YAML, as a Helm chart.

Must not talk to a cluster.
"""
