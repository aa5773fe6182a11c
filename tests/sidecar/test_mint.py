import os
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from sidecar.mint import DNS_NAMES, mint

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def minted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mint_into(tmp_path_factory.mktemp("identity"), None)


def mint_into(path: Path, now: float | None) -> Path:
    folder = os.open(path, os.O_RDONLY)
    mint(folder, now)
    os.close(folder)
    return path


def load(path: Path) -> tuple[x509.Certificate, x509.Certificate]:
    ca = x509.load_pem_x509_certificate((path / "ca.crt").read_bytes())
    leaf = x509.load_pem_x509_certificate((path / "tls.crt").read_bytes())
    return ca, leaf


def handshake(path: Path, name: str, *, strict: bool = True) -> str | None:
    """A real handshake of two ends in memory; the protocol's version."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(path / "tls.crt", path / "tls.key")
    client_side = ssl.create_default_context(cadata=(path / "ca.crt").read_text())
    if strict:
        client_side.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(3):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version()


@pytest.mark.parametrize("name", [*DNS_NAMES, "127.0.0.1", "::1"])
def test_strict_python_trusts_every_name(minted: Path, name: str) -> None:
    assert handshake(minted, name) == "TLSv1.3"


@pytest.mark.parametrize("name", ["127.0.0.2", "kubernetes.default.svc.example.com", "example.com"])
def test_no_other_name_is_trusted(minted: Path, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(minted, name)


def test_another_minting_is_not_trusted(minted: Path, tmp_path: Path) -> None:
    other = mint_into(tmp_path, None)
    (other / "ca.crt").write_bytes((minted / "ca.crt").read_bytes())
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(other, "localhost")


@pytest.mark.parametrize("certificate", ["ca.crt", "tls.crt"])
def test_strict_openssl_trusts_it(minted: Path, certificate: str) -> None:
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.crt"]
    if certificate == "tls.crt":
        command += ["-purpose", "sslserver", "-verify_ip", "127.0.0.1"]
    done = subprocess.run([*command, certificate], cwd=minted, capture_output=True, check=False)
    assert done.stdout.strip() == f"{certificate}: OK".encode(), done.stderr
    assert done.returncode == 0


def test_the_ca_may_sign_leaves_and_nothing_else(minted: Path) -> None:
    ca, _ = load(minted)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (
        True,
        True,
        0,
    )
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value == key_usage(key_cert_sign=True, crl_sign=True)
    assert len(list(ca.extensions)) == 4


def test_the_leaf_serves_and_nothing_else(minted: Path) -> None:
    ca, leaf = load(minted)
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value == key_usage(digital_signature=True)
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(DNS_NAMES)
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    subject_key = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    for certificate in (ca, leaf):
        extensions = certificate.extensions
        authority = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        assert authority.key_identifier == subject_key.digest
    assert len(list(leaf.extensions)) == 6
    leaf.verify_directly_issued_by(ca)


def key_usage(**on: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: on.get(name, False) for name in names})


def test_the_key_is_the_leafs_and_the_cas_is_nowhere(minted: Path) -> None:
    ca, leaf = load(minted)
    key = load_pem_private_key((minted / "tls.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == leaf.public_key()
    assert leaf.public_key() != ca.public_key()
    assert sorted(os.listdir(minted)) == ["ca.crt", "identity.json", "seed", "tls.crt", "tls.key"]
    private = [path.name for path in minted.iterdir() if b"PRIVATE" in path.read_bytes()]
    assert private == ["tls.key"]
    checked = subprocess.run(
        ["openssl", "pkey", "-in", minted / "tls.key", "-check", "-noout"],
        capture_output=True,
        check=True,
    )
    assert b"valid" in checked.stdout + checked.stderr


def test_ten_years_backdated_a_day(minted: Path) -> None:
    for certificate in load(minted):
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        assert timedelta(hours=23) < NOW - start < timedelta(hours=25)
        assert timedelta(days=3650) < end - NOW < timedelta(days=3654)


@pytest.mark.parametrize("year", [2026, 2039, 2040, 2049, 2050, 2060])
def test_dates_on_both_sides_of_2050_are_as_x509_wants_them(tmp_path: Path, year: int) -> None:
    now = datetime(year, 3, 1, tzinfo=UTC)
    _, leaf = load(mint_into(tmp_path, now.timestamp()))
    assert leaf.not_valid_before_utc == now - timedelta(days=1)
    assert leaf.not_valid_after_utc == now + timedelta(days=3652)
    moment = str(int(now.timestamp()))
    text = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", "-attime", moment, "tls.crt"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert text.stdout == b"tls.crt: OK\n"


def test_nothing_repeats_and_serials_are_lawful(tmp_path: Path) -> None:
    seen: dict[str, set[object]] = {}
    for number in range(20):
        path = tmp_path / str(number)
        path.mkdir()
        ca, leaf = load(mint_into(path, None))
        seed, key = (path / "seed").read_bytes(), (path / "tls.key").read_bytes()
        facts = {"ca": ca.serial_number, "leaf": leaf.serial_number, "name": ca.subject}
        for name, fact in {**facts, "seed": seed, "key": key}.items():
            seen.setdefault(name, set()).add(fact)
        for certificate in (ca, leaf):
            # RFC 5280 4.1.2.2: positive, at most 20 octets.
            assert 0 < certificate.serial_number.bit_length() <= 159
        assert len(seed) == 32
    assert [len(values) for values in seen.values()] == [20] * 5


def test_drafts_of_a_minting_that_was_killed_are_gone(tmp_path: Path) -> None:
    (tmp_path / ".draft-tls.key-0123").write_bytes(b"half a key")
    mint_into(tmp_path, None)
    assert not (tmp_path / ".draft-tls.key-0123").exists()
