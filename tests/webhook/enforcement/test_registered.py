"""How a stored registration is compared: the address and the CA may differ, nothing else."""

import copy
from typing import Any

from webhook.admission.registration import build_registration
from webhook.enforcement.registered import find_deviation, list_bundles


def make(address: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(build_registration(address, "Q0E=", ("mca-system",)))


def test_the_address_is_the_installations_own() -> None:
    for address in ({"service": {"name": "x", "namespace": "y"}}, {"url": "https://x.example"}):
        assert find_deviation(make(address), "mca-system") == ((), ())
        assert find_deviation(make(address), "elsewhere").differences


def test_what_is_missing_or_changed_is_named() -> None:
    registration = make({"url": "https://x.example"})
    registration["webhooks"].pop(0)
    registration["webhooks"][0]["clientConfig"]["url"] = "https://x.example/elsewhere"
    registration["webhooks"].append({"name": "other", "clientConfig": {}})
    missing, differences = find_deviation(registration, "mca-system")
    assert missing == ("enforced.inject.mca.io",)
    assert differences == ("optional.inject.mca.io: clientConfig.url", "other is not MCA's")


def test_bundles() -> None:
    registration = make({"url": "https://x.example"})
    assert list_bundles(registration) == {"Q0E="}
    del registration["webhooks"][1]["clientConfig"]["caBundle"]
    assert list_bundles(registration) == {"Q0E=", ""}
    assert list_bundles({}) == set()
