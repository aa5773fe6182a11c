"""Each namespace reaches one path at most, by its labels."""

import itertools
from typing import Any

import pytest

from webhook.admission.outcome import read_namespace
from webhook.admission.registration import MODES, SPARED, build_registration

WEBHOOKS = build_registration({"url": "https://x"}, "Y2E=", ("mca-system",))["webhooks"]


def matches(labels: dict[str, str], expression: dict[str, Any]) -> bool:
    inside = labels.get(expression["key"]) in expression["values"]
    return inside if expression["operator"] == "In" else not inside


def reached(labels: dict[str, str]) -> list[str]:
    return [
        webhook["clientConfig"]["url"].rpartition("/")[2]
        for webhook in WEBHOOKS
        if all(matches(labels, item) for item in webhook["namespaceSelector"]["matchExpressions"])
    ]


def test_the_path_is_that_of_the_labels() -> None:
    choices: list[list[str | None]] = [
        [None, "enabled", "no"],
        [None, "enforced"],
        [None, "allowed"],
    ]
    keys = ("mca.io/injection", "mca.io/boundary", "mca.io/opt-out")
    for values in itertools.product(*choices):
        labels = {key: text for key, text in zip(keys, values, strict=True) if text is not None}
        namespace = read_namespace(labels)
        expected = [mode for mode in MODES if MODES[mode] == namespace]
        assert reached({"kubernetes.io/metadata.name": "team-a", **labels}) == expected


@pytest.mark.parametrize("name", [*SPARED, "mca-system"])
def test_spared_by_name(name: str) -> None:
    assert reached({"kubernetes.io/metadata.name": name, "mca.io/boundary": "enforced"}) == []


def test_by_service() -> None:
    service = {"namespace": "mca-system", "name": "mca-webhook", "port": 443}
    made = build_registration({"service": service}, "Y2E=", ())
    assert made["webhooks"][0]["clientConfig"] == {
        "service": {**service, "path": "/inject/enforced"},
        "caBundle": "Y2E=",
    }
