"""The control plane and the command `mca`.

Must not be imported by the sidecar: what both need lies in `sidecar.policy` and its small leaves.
"""
