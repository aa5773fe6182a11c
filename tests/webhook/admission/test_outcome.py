"""What labels say, and that every code which is used is listed."""

import re
from pathlib import Path

import pytest

from webhook.admission import outcome
from webhook.admission.names import ANNOTATIONS
from webhook.admission.outcome import Namespace, read_namespace

SOURCES = Path(outcome.__file__).parent


@pytest.mark.parametrize(
    ("labels", "namespace"),
    [
        ({}, Namespace(enabled=False, enforced=False, opt_out=False)),
        ({"mca.io/injection": "enabled"}, Namespace(enabled=True, enforced=False, opt_out=False)),
        ({"mca.io/injection": "true"}, Namespace(enabled=False, enforced=False, opt_out=False)),
        (
            {"mca.io/injection": "enabled", "mca.io/opt-out": "allowed"},
            Namespace(enabled=True, enforced=False, opt_out=True),
        ),
        (
            {"mca.io/boundary": "enforced", "mca.io/opt-out": "allowed"},
            Namespace(enabled=True, enforced=True, opt_out=False),
        ),
    ],
)
def test_labels(labels: dict[str, str], namespace: Namespace) -> None:
    assert read_namespace(labels) == namespace


def test_every_code_is_listed_and_no_other() -> None:
    text = "".join(path.read_text() for path in sorted(SOURCES.glob("*.py")))
    skips = set(re.findall(r'Skip\(\s*"([a-z-]+)"', text))
    refusals = set(re.findall(r'(?:Refusal|Breach)\(\s*"([a-z-]+)"', text))
    refusals |= set(re.findall(r'\("(?:host|share)\w+", "([a-z-]+)"\)', text))
    refusals |= set(re.findall(r'"(?:hostPath|image|csi)": "([a-z-]+)"', text))
    refusals |= set(re.findall(r'_VOLUME_CODES.get\(kind, "([a-z-]+)"', text))
    assert skips == set(outcome.SKIP_CODES)
    assert refusals == set(outcome.REFUSAL_CODES)


def test_the_readme_tells_every_code_and_annotation() -> None:
    readme = (SOURCES.parents[1] / "README.md").read_text()
    told = re.findall(r"`([a-z./-]+)`", readme[readme.index("## Injection") :])
    everything = {*outcome.SKIP_CODES, *outcome.REFUSAL_CODES, *ANNOTATIONS}
    assert everything <= set(told)
