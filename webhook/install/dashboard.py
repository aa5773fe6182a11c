"""Owns the Grafana dashboard of the webhook: which questions it answers, by which metrics.

Must not know where it is kept.
"""

from typing import Any, Final

from webhook.install.remarks import RawDocument

_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_WIDTH: Final = 12
_HEIGHT: Final = 8
_COLUMNS: Final = 2
_REVIEWS: Final = "mca_admission_reviews_total"
_EXPIRY: Final = "mca_webhook_certificate_expiry_timestamp_seconds"
_BUCKETS: Final = "mca_admission_review_seconds_bucket"
# Title, what it tells, unit, then queries with their legends.
_PANELS: Final = (
    (
        "Reviews by result",
        "Pods that were looked at. Skipped ones have no sidecar.",
        "reqps",
        ((f"sum by (mode, result) (rate({_REVIEWS}[5m]))", "{{mode}}: {{result}}"),),
    ),
    (
        "Refused and skipped, by code",
        "The README's tables say what each code means and what helps.",
        "reqps",
        (
            (
                f'sum by (result, code) (rate({_REVIEWS}{{code!=""}}[5m]))',
                "{{result}}: {{code}}",
            ),
        ),
    ),
    (
        "Time of a review",
        "From the last byte of the question on. The API server waits 5 s at most.",
        "s",
        tuple(
            (f"histogram_quantile({share}, sum by (le) (rate({_BUCKETS}[5m])))", name)
            for share, name in ((0.5, "half"), (0.99, "99 of 100"))
        ),
    ),
    (
        "Replicas that answer",
        "None: no pod starts in labelled namespaces.",
        "short",
        (('sum(up{service="mca-webhook"})', "up"), ('count(up{service="mca-webhook"})', "all")),
    ),
    (
        "Certificates: time left",
        "Each is renewed long before its end, without a restart.",
        "s",
        ((f"min by (certificate) ({_EXPIRY}) - time()", "{{certificate}}"),),
    ),
    (
        "Certificates: repairs and failures",
        "A registration that somebody changed is repaired; failures are in the webhook's log.",
        "short",
        (
            ("sum(increase(mca_webhook_bundle_repairs_total[1h]))", "repairs"),
            ("sum(increase(mca_webhook_certificate_failures_total[1h]))", "failures"),
        ),
    ),
)


def build_dashboard() -> RawDocument:
    """As Grafana imports it."""
    return {
        "title": "MCA: admission webhook",
        "uid": "mca-webhook",
        "tags": ["mca"],
        "schemaVersion": 39,
        "timezone": "browser",
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "source",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                }
            ]
        },
        "panels": [_panel(number, *panel) for number, panel in enumerate(_PANELS)],
    }


def _panel(
    number: int, title: str, tells: str, unit: str, queries: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    return {
        "id": number + 1,
        "title": title,
        "description": tells,
        "type": "timeseries",
        "datasource": _SOURCE,
        "gridPos": {
            "h": _HEIGHT,
            "w": _WIDTH,
            "x": number % _COLUMNS * _WIDTH,
            "y": number // _COLUMNS * _HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": legend,
            }
            for index, (query, legend) in enumerate(queries)
        ],
    }
