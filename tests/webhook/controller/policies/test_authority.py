"""The broker's CA: from the ConfigMap that shows it, or from a file that is looked at again."""

import base64
from pathlib import Path

from tests.webhook.controller.policies.lands import Land
from webhook.controller.policies.authority import Authority, keep_authority


def decode(text: str) -> str:
    return base64.b64decode(text).decode()


def test_from_the_map(tmp_path: Path) -> None:
    authority = Authority(Land(tmp_path).world)
    assert authority.find() is None
    assert authority.parts == ()
    shown = keep_authority({"data": {"ca.crt": "PEM"}})
    authority.store.put("mca-system/mca-webhook-ca", shown)
    broker = authority.find()
    assert broker is not None
    assert (broker.server, decode(broker.ca_bundle)) == (
        "https://mca-broker.mca-system.svc:8444",
        "PEM",
    )


def test_a_map_that_says_nothing_yet() -> None:
    assert keep_authority({}) is None
    assert keep_authority({"data": {"ca.crt": 1}}) is None


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "broker.crt"
    authority = Authority(Land(tmp_path, certificates="files", ca_path=str(file)).world)
    heard: list[str | None] = []
    authority.store.listen(lambda change: heard.append(change.new))
    [part] = authority.parts
    assert authority.find() is None
    for text in ("A", "A", "B"):
        file.write_text(text)
        assert part.reconcile(part.seeds[0])
    file.unlink()
    assert part.reconcile(part.seeds[0])
    assert heard == ["A", "B"]
    broker = authority.find()
    assert broker is not None
    assert decode(broker.ca_bundle) == "B"
