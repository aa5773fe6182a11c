"""What annotations may say, and how what they may not is told."""

import pytest

from tests.webhook.admission.scene import SETTINGS
from webhook.admission.annotations import parse_annotations
from webhook.admission.settings import Resources


def test_none_is_what_the_settings_say() -> None:
    tuning = parse_annotations({"other.io/x": "1"}, SETTINGS)
    assert tuning == (False, None, False, 6443, 6444, "info", SETTINGS.resources)


def test_all() -> None:
    tuning = parse_annotations(
        {
            "mca.io/inject": "false",
            "mca.io/containers": "app, sidekick",
            "mca.io/capture": "env,dns",
            "mca.io/ports": "7443,65535",
            "mca.io/log-level": "debug",
            "mca.io/cpu-request": "20m",
            "mca.io/memory-request": "48Mi",
            "mca.io/cpu-limit": "1",
            "mca.io/memory-limit": "96Mi",
        },
        SETTINGS,
    )
    containers = frozenset({"app", "sidekick"})
    resources = Resources("20m", "48Mi", "1", "96Mi")
    assert tuning == (True, containers, True, 7443, 65535, "debug", resources)
    assert not parse_annotations({"mca.io/inject": "true"}, SETTINGS).opted_out
    assert parse_annotations({"mca.io/capture": "dns, env"}, SETTINGS).captures_names
    assert not parse_annotations({"mca.io/capture": "env"}, SETTINGS).captures_names
    assert parse_annotations({"mca.io/containers": " "}, SETTINGS).containers == frozenset()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("image", "evil", "mca.io/image: pods have no such annotation; there are mca.io/inject, "),
        ("inject", "no", "mca.io/inject: 'no' is neither"),
        ("containers", "app,,b", "mca.io/containers: '' is not the name"),
        ("containers", "mca", "mca.io/containers: 'mca' is not the name"),
        ("capture", "dns", "mca.io/capture: 'dns' is neither"),
        ("capture", "env,dns,dns", "is neither"),
        ("capture", "env,udp", "is neither"),
        ("ports", "7443", "mca.io/ports: '7443' is not two ports"),
        ("ports", "7443,7443", "mca.io/ports: '7443,7443' is not two ports"),
        ("ports", "1023,7443", "is not two ports"),
        ("ports", "7443,65536", "is not two ports"),
        ("ports", "7443,7444,7445", "is not two ports"),
        ("log-level", "trace", "mca.io/log-level: 'trace' is none of debug, info"),
        ("cpu-limit", "much", "mca.io/cpu-limit: 'much' is not a quantity"),
        ("memory-request", "0", "mca.io/memory-request: '0' is not a quantity"),
        ("memory-request", "65Mi", "mca.io/memory-request: 65Mi is more than mca.io/memory-limit"),
        ("cpu-limit", "9m", "mca.io/cpu-request: 10m is more than mca.io/cpu-limit 9m"),
    ],
)
def test_refused(name: str, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^mca\.io/") as error:
        parse_annotations({f"mca.io/{name}": text}, SETTINGS)
    assert told in str(error.value)
