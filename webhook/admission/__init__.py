"""The admission webhook: how a pod gets its sidecar, and which pods cannot have one.

Nothing in it reads the cluster: what it decides by is the pod, the settings and the way it was
asked.
"""
