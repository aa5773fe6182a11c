"""Owns why the broker refuses: each rule with its code, and how a refusal is written.

Must not tell more than the asker knows already: neither whether a cluster exists, nor what is wrong
with it.
"""

from typing import Final, NamedTuple

from sidecar.status import status_body


class _Kind(NamedTuple):
    code: int
    reason: str


_UNAUTHORIZED: Final = _Kind(401, "Unauthorized")
_FORBIDDEN: Final = _Kind(403, "Forbidden")
_UNAVAILABLE: Final = _Kind(503, "ServiceUnavailable")
# The names are stable: they are in the metrics, the log and the README.
RULES: Final = {
    "path": _Kind(404, "NotFound"),
    "body": _Kind(400, "BadRequest"),
    "slow": _Kind(408, "Timeout"),
    "too-large": _Kind(413, "RequestEntityTooLarge"),
    "busy": _Kind(429, "TooManyRequests"),
    "no-token": _UNAUTHORIZED,
    "token": _UNAUTHORIZED,
    "pod": _FORBIDDEN,
    "not-injected": _FORBIDDEN,
    "boundary": _FORBIDDEN,
    "tenant": _FORBIDDEN,
    "cluster": _FORBIDDEN,
    "account": _FORBIDDEN,
    "secret": _FORBIDDEN,
    "not-ready": _UNAVAILABLE,
    "home": _UNAVAILABLE,
    "member": _UNAVAILABLE,
    "defect": _Kind(500, "InternalError"),
}
# client-go's own word for it; sidecars keep what they have meanwhile.
_RETRY_S: Final = {"busy": 1, "not-ready": 5, "home": 5, "member": 10}


class RefusedError(Exception):
    """What is asked for is not done. `told` is for the log alone: it may name what admins know."""

    def __init__(self, rule: str, message: str, told: str = "", retry_s: float = 0.0) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.told = told
        self.retry_s = max(_RETRY_S.get(rule, 0), -int(-retry_s // 1))

    @property
    def code(self) -> int:
        return RULES[self.rule].code

    def render(self) -> bytes:
        """A Status, as an API server writes it."""
        details = {"retryAfterSeconds": self.retry_s} if self.retry_s else None
        message = f"mca broker/{self.rule}: {self.message}"
        return status_body(self.code, RULES[self.rule].reason, message, details)
