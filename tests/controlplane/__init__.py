"""Real control planes for tests, demo and benchmark: `with ControlPlane() as plane: …`."""

from tests.controlplane.access import Access, render_kubeconfig
from tests.controlplane.audit_log import AuditLog, RawEvent
from tests.controlplane.binaries import BinaryMissingError, find_binary
from tests.controlplane.calls import Answer
from tests.controlplane.control_plane import ControlPlane, choose_port
from tests.controlplane.processes import ServerProcess

__all__ = [
    "Access",
    "Answer",
    "AuditLog",
    "BinaryMissingError",
    "ControlPlane",
    "RawEvent",
    "ServerProcess",
    "choose_port",
    "find_binary",
    "render_kubeconfig",
]
