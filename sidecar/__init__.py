"""The data plane: the process in every pod that answers as the Kubernetes API.

Small, starts fast, imports little: at run time the standard library and itself,
never `webhook`. Start reading at `__main__`; `policy` is the pure core that decides.
"""

__version__ = "0.1.0"
