"""The certificate in use is the last good one."""

import ssl
import time
from pathlib import Path

import pytest

from tests.controlplane.certificates import LIFE, Authority
from webhook.certificates.file_certificate import FileCertificate


def test_it_is_taken_anew_and_a_bad_one_is_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    pair = authority.issue_server("first", ["localhost"])
    certificate = FileCertificate(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    assert "No such file" in certificate.load()
    (tmp_path / "tls.crt").write_bytes(pair.certificate.read_bytes())
    (tmp_path / "tls.key").write_bytes(pair.key.read_bytes())
    assert certificate.load() == ""
    assert certificate.ends == pytest.approx(time.time() + LIFE.total_seconds(), abs=60)
    assert certificate.load() == ""
    other = authority.issue_server("second", ["localhost"])
    (tmp_path / "tls.crt").write_bytes(other.certificate.read_bytes())
    problem = certificate.load()
    assert str(tmp_path / "tls.crt") in problem
    assert certificate.load() == problem
    (tmp_path / "tls.key").write_bytes(other.key.read_bytes())
    assert certificate.load() == ""
    (tmp_path / "tls.crt").write_text("nothing")
    assert certificate.load() != ""
    assert certificate.context.minimum_version == ssl.TLSVersion.TLSv1_2
