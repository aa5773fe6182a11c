"""Owns verdicts: what is said of an object that was compiled, with stable reasons.

Must not judge.
"""

from typing import Final, NamedTuple

from webhook.resources.conditions import Condition

ACCEPTED: Final = "Accepted"
# Of an object some parts of which count for nothing; all else of it counts.
PARTLY: Final = "PartlyAccepted"
INVALID: Final = "Invalid"
NO_TENANT: Final = "NoTenant"
CLUSTER_UNKNOWN: Final = "ClusterUnknown"
CLUSTER_NOT_ALLOWED: Final = "ClusterNotAllowed"
CLUSTER_NOT_ACCEPTED: Final = "ClusterNotAccepted"
BROKER_UNKNOWN: Final = "BrokerUnknown"
BOUNDARY_REQUIRED: Final = "BoundaryRequired"
MEMBER_NOT_ENFORCED: Final = "MemberNotEnforced"
TOO_MANY: Final = "TooMany"
TOO_LARGE: Final = "TooLarge"


class Verdict(NamedTuple):
    """Whether an object counts, and why not."""

    accepted: bool
    reason: str
    message: str = ""

    def condition(self, generation: int) -> Condition:
        """The same for the object's status."""
        return Condition(ACCEPTED, self.accepted, self.reason, self.message, generation)


TAKEN: Final = Verdict(True, ACCEPTED)
