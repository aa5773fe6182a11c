"""How often a Tenant that cannot end is looked at."""

import pytest

from webhook.controller.tenants.farewell import choose_wait

DELETED = {"metadata": {"deletionTimestamp": "1970-01-01T01:00:00Z"}}


@pytest.mark.parametrize(
    ("after_s", "pause"), [(-100, 10), (0, 10), (40, 10), (200, 50), (1200, 300), (10**6, 300)]
)
def test_the_longer_it_lasts_the_less_often(after_s: float, pause: float) -> None:
    assert choose_wait(DELETED, 3600 + after_s) == pause


def test_a_time_that_cannot_be_read_is_long_ago() -> None:
    assert choose_wait({}, 0) == 300
