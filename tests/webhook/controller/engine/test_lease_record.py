"""What a Lease says, whatever somebody wrote into it; and how its life is divided."""

import pytest

from webhook.controller.engine.lease import Durations, Record, read_record
from webhook.kube import RawDocument


@pytest.mark.parametrize(
    ("lease", "record"),
    [
        ({}, Record("", 0.0, "", 0, "")),
        ({"spec": None, "metadata": None}, Record("", 0.0, "", 0, "")),
        (
            {"spec": {"leaseDurationSeconds": "15", "leaseTransitions": None}},
            Record("", 0.0, "", 0, ""),
        ),
        (
            {
                "metadata": {"resourceVersion": "7"},
                "spec": {
                    "holderIdentity": "a",
                    "leaseDurationSeconds": 15,
                    "renewTime": "2026-01-01T00:00:00.000000Z",
                    "leaseTransitions": 3,
                },
            },
            Record("a", 15.0, "2026-01-01T00:00:00.000000Z", 3, "7"),
        ),
    ],
)
def test_record(lease: RawDocument, record: Record) -> None:
    assert read_record(lease) == record


@pytest.mark.parametrize("life_s", [3, 15, 300])
def test_a_holder_gives_up_well_before_another_may_take_over(life_s: int) -> None:
    durations = Durations(life_s)
    assert durations.lead_s <= life_s * 0.7
    assert durations.retry_s * 4 <= durations.lead_s  # a few may fail
