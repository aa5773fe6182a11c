"""Quantities as Kubernetes writes them."""

from decimal import Decimal

import pytest

from webhook.admission.quantities import parse_amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("10m", "0.01"), ("0.5", "0.5"), ("1", "1"), ("64Mi", "67108864"), ("1Gi", "1073741824"),
        ("2k", "2000"), ("1.5G", "1500000000"), ("0", "0"),
    ],
)  # fmt: skip
def test_amounts(text: str, amount: str) -> None:
    assert parse_amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "m", "-1", "1 Mi", "1mi", "٣", "1e3", 5, None, "1" * 20])
def test_no_quantities(text: object) -> None:
    assert parse_amount(text) is None
