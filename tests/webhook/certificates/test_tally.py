"""The metrics of certificates, as Prometheus reads them."""

from prometheus_client import CollectorRegistry, generate_latest

from webhook.certificates.tally import CertificateTally


def test_what_is_told_is_shown() -> None:
    registry = CollectorRegistry()
    tally = CertificateTally(registry)
    tally.tell_serving(1_700_000_000.0)
    tally.tell_authority(1_800_000_000.0)
    tally.count(repair=True)
    for _ in range(2):
        tally.count(repair=False)
    page = generate_latest(registry).decode().splitlines()
    name = "mca_webhook_certificate_expiry_timestamp_seconds"
    assert f'{name}{{certificate="serving"}} 1.7e+09' in page
    assert f'{name}{{certificate="authority"}} 1.8e+09' in page
    assert "mca_webhook_bundle_repairs_total 1.0" in page
    assert "mca_webhook_certificate_failures_total 2.0" in page
