"""Owns Kubernetes quantities as far as resources need them: their amount, to compare.

Must not know whose they are.
"""

import re
from decimal import Decimal
from typing import Final

_FORM: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?", re.ASCII)
_FACTORS: Final = {
    None: Decimal(1), "m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "Ki": Decimal(1 << 10), "Mi": Decimal(1 << 20),
    "Gi": Decimal(1 << 30), "Ti": Decimal(1 << 40),
}  # fmt: skip


def parse_amount(text: object) -> Decimal | None:
    """`64Mi` in bytes, `10m` in CPUs; None for what is no quantity."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    return None if found is None else Decimal(found[1]) * _FACTORS[found[2]]
