"""Owns which releases of Kubernetes can do what.

Must not ask one.
"""

import re
from typing import Final

from webhook.admission.outcome import RawObject

# Init containers that keep running are on by default.
FOR_SIDECARS: Final = (1, 29)
# admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy.
FOR_GUARDS: Final = (1, 30)
_GIT_VERSION: Final = re.compile(r"v(\d{1,4})\.(\d{1,4})[.+-]?.*", re.ASCII)


def parse_version(document: RawObject) -> tuple[int, int] | None:
    """Of what `/version` answers; None where that is nothing of the kind."""
    found = _GIT_VERSION.fullmatch(str(document.get("gitVersion") or ""))
    return (int(found[1]), int(found[2])) if found else None
