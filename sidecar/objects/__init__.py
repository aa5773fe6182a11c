"""The objects in answers and requests: looked at, and their versions tagged, as they pass. Pure.

A cluster other than home is not trusted: what it answers must belong to the namespace that was
asked for. Where a slice of the API may be answered by more than one cluster, resourceVersions say
which one they come from (sidecar.versions). Answers are streams: one object is held at a time.
"""

from sidecar.objects.answers import open_transform
from sidecar.objects.inspection import Inspection, Transform, TransformError

__all__ = ["Inspection", "Transform", "TransformError", "open_transform"]
