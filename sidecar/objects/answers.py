"""Owns the choice of a transform by an answer's media type. Pure."""

from __future__ import annotations

from sidecar.objects.inspection import Inspection, Transform, TransformError
from sidecar.objects.json_stream import JsonAnswer, JsonWatch
from sidecar.objects.protobuf_stream import ProtobufAnswer, ProtobufWatch


def open_transform(content_type: bytes, inspection: Inspection) -> Transform:
    """The transform of an answer whose head is known; raises TransformError."""
    media = content_type.partition(b";")[0].strip().lower()
    if media == b"application/json":
        return JsonWatch(inspection) if inspection.watch else JsonAnswer(inspection)
    if media == b"application/vnd.kubernetes.protobuf":
        return ProtobufWatch(inspection) if inspection.watch else ProtobufAnswer(inspection)
    error = "its media type cannot be looked into"
    raise TransformError(error)
