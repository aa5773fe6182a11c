"""Owns what is told of a write that failed: which object, why, and what to do. Pure.

Must not decide when it is tried again, beyond telling what passes by itself.
"""

from http import HTTPStatus
from typing import Final

from webhook.controller.tenants.kinds import BINDING, Place
from webhook.controller.tenants.steps import Problem
from webhook.kube import KubeError

_PASSING: Final = (
    0,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
)
_ENDING: Final = "being terminated"
_REMEDY: Final = (
    "; the controller binds the roles of MCA's profiles only: for others install a ClusterRole "
    'with the label mca.io/aggregate-to-controller: "true" that allows the verb bind on them by '
    "name"
)
# What `mca cluster add --provision` makes there is one home's, and is not aggregated.
_REMEDY_ABROAD: Final = (
    "; there the account of the credential binds the roles of MCA's profiles only: for others let "
    "an admin of that cluster bind it to a ClusterRole that allows the verb bind on them by name"
)


def explain_failure(place: Place, error: KubeError, *, abroad: bool = False) -> Problem:
    """Of one write, at home or on a member."""
    causes = error.details.get("causes") or ()
    passing = error.status in _PASSING or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    message, reason = str(error), error.reason or "Failed"
    if error.status == HTTPStatus.CONFLICT:
        fields = [str(cause.get("field")) for cause in causes if isinstance(cause, dict)]
        passing = not fields
        if fields:
            message = (
                f"somebody else has set {', '.join(sorted(fields))} otherwise: remove that, "
                "or state the same in the Tenant"
            )
    elif error.status == HTTPStatus.FORBIDDEN and _ENDING in message:
        passing, reason = True, "Ending"
    elif error.status == HTTPStatus.FORBIDDEN and place.kind == BINDING:
        message += _REMEDY_ABROAD if abroad else _REMEDY
    return Problem(place.step, place.namespace, reason, f"{place.shown}: {message}", passing)
