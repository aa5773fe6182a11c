"""The dashboard asks for metrics that the webhook has, and loads as one piece."""

import json
import re

import yaml

from tests.webhook.install.test_objects import FULL, find
from webhook.admission.tally import Tally
from webhook.certificates.tally import CertificateTally
from webhook.install.dashboard import build_dashboard
from webhook.install.objects import build_objects


def test_each_metric_is_one_of_the_webhook_s() -> None:
    asked = set(re.findall(r"mca_[a-z_]+", json.dumps(build_dashboard())))
    registry = Tally().registry
    CertificateTally(registry)
    there = {metric.name for metric in registry.collect()}
    # As prometheus-client wants them: it puts the ends behind.
    names = {re.sub(r"_(total|bucket)$", "", name) for name in asked}
    assert len(names) >= 3
    assert names <= there


def test_panels_have_their_own_place_and_number() -> None:
    panels = build_dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert all(panel["targets"] and panel["description"] for panel in panels)


def test_the_config_map_holds_it_whole() -> None:
    found = find(build_objects(FULL), "ConfigMap", "mca-webhook-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["mca-webhook.json"]) == build_dashboard()
    assert yaml.safe_load(found["data"]["mca-webhook.json"]) == build_dashboard()
