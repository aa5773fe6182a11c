"""Metrics of reviews, read by Prometheus' own parser."""

from prometheus_client.parser import text_string_to_metric_families

from webhook.admission.tally import Tally


def test_counts_and_times() -> None:
    tally = Tally()
    tally.count("enforced", "refused", "host-path", 0.002)
    tally.count("enforced", "refused", "host-path", 0.003)
    families = {
        family.name: family for family in text_string_to_metric_families(tally.render().decode())
    }
    counted = [
        item for item in families["mca_admission_reviews"].samples if item.name.endswith("_total")
    ]
    assert [(item.labels, item.value) for item in counted] == [
        ({"mode": "enforced", "result": "refused", "code": "host-path"}, 2)
    ]
    times = {item.name: item.value for item in families["mca_admission_review_seconds"].samples}
    assert times["mca_admission_review_seconds_count"] == 2
