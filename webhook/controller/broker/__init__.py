"""The broker: it hands credentials for members to sidecars, and hears which snapshot they run.

Must not hand anything to who has not proven to be the sidecar of a pod in an enforced namespace.
"""
