"""CAs and serving certificates: what verifiers find in them, and what is refused."""

import contextlib
import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from webhook.certificates.own_certificate import list_names, load_pair
from webhook.certificates.signing import (
    BACKDATED_S,
    Pair,
    make_authority,
    read_authority,
    read_certificates,
    sign_serving,
)

NOW = float(int(dt.datetime.now(dt.UTC).timestamp()))
NAMES = list_names("mca-system", "mca-webhook")


def shake_hands(serving: Pair, trusted: str, name: str) -> None:
    """A TLS handshake as strict as Python 3.13's default and Go's; SSLError if it fails."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(server_context, serving)
    client_context = ssl.create_default_context(cadata=trusted)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert client.version() == "TLSv1.3"
    assert client.getpeercert() is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_serving_certificate_is_verified_by_its_authority(name: str) -> None:
    authority = make_authority(NOW, 100_000)
    serving = sign_serving(authority, NAMES, NOW, 10_000)
    shake_hands(serving, authority.certificate.pem, name)
    # Beside others in a bundle, too.
    shake_hands(
        serving, make_authority(NOW, 9_000).certificate.pem + authority.certificate.pem, name
    )
    with pytest.raises(
        ssl.SSLCertVerificationError, match=r"self-signed|unable to get local issuer"
    ):
        shake_hands(serving, make_authority(NOW, 100_000).certificate.pem, name)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(serving, authority.certificate.pem, f"x{name}")


def test_lives() -> None:
    authority = make_authority(NOW, 100_000)
    made = authority.certificate
    assert (made.not_before, made.not_after) == (NOW - BACKDATED_S, NOW + 100_000)
    for life, until in ((10_000, NOW + 10_000), (500_000, NOW + 100_000)):
        signed = sign_serving(authority, NAMES, NOW, life).certificate
        assert (signed.not_before, signed.not_after) == (NOW - BACKDATED_S, until)


def test_each_is_its_own() -> None:
    first, second = make_authority(NOW, 100_000), make_authority(NOW, 100_000)
    assert first.certificate.id != second.certificate.id
    subjects = {x509.load_pem_x509_certificate(p.certificate.pem.encode()).subject
        for p in (first, second)}  # fmt: skip
    assert len(subjects) == 2
    assert first.key_pem != second.key_pem
    assert first.key_pem != sign_serving(first, NAMES, NOW, 10_000).key_pem


def test_no_repr_shows_a_key() -> None:
    pair = make_authority(NOW, 100_000)
    assert "PRIVATE" not in repr(pair)
    assert pair.key_pem not in repr([pair])


def test_an_authority_signs_nothing_but_servers() -> None:
    authority = make_authority(NOW, 100_000)
    found = x509.load_pem_x509_certificate(authority.certificate.pem.encode())
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (
        True, True, 0,
    )  # fmt: skip
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    signed = sign_serving(authority, NAMES, NOW, 10_000)
    leaf = x509.load_pem_x509_certificate(signed.certificate.pem.encode())
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    theirs = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    own = found.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert theirs.key_identifier == own.digest


def test_bundles_are_read_in_order() -> None:
    pairs = [make_authority(NOW, 100_000) for _ in range(3)]
    certificates = tuple(pair.certificate for pair in pairs)
    assert read_certificates("\n".join(known.pem for known in certificates)) == certificates
    assert read_certificates(" \n") == ()
    for nonsense in ("x", certificates[0].pem[:-40], pairs[0].key_pem):
        with pytest.raises(ValueError, match=r"."):
            read_certificates(nonsense)


def test_an_authority_is_read_as_it_was_made() -> None:
    pair = make_authority(NOW, 100_000)
    assert read_authority(pair.certificate.pem, pair.key_pem) == pair


def test_what_cannot_sign_is_refused() -> None:
    pair, other = make_authority(NOW, 100_000), make_authority(NOW, 100_000)
    serving = sign_serving(pair, NAMES, NOW, 10_000)
    foreign = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate = pair.certificate.pem
    for made, key, told in (
        (certificate, other.key_pem, "the key is not the certificate's"),
        (certificate, foreign.decode(), "the key is none of an elliptic curve"),
        (certificate, "", "the key is no private key in PEM"),
        (certificate, pair.key_pem[:99], "the key is no private key in PEM"),
        (serving.certificate.pem, serving.key_pem, "the certificate is none of a CA"),
        (make_bare_certificate(pair.key_pem), pair.key_pem, "the certificate is none of a CA"),
        (pair.key_pem, pair.key_pem, "the certificate is none in PEM, or cannot be read"),
    ):
        with pytest.raises(ValueError, match=r"^the ") as refused:
            read_authority(made, key)
        assert str(refused.value) == told


@pytest.mark.parametrize("spoil", ["version", "curve", "extensions"])
def test_what_no_parser_takes_is_refused_as_the_rest(spoil: str) -> None:
    """Each raises something else in the library, and none of it ValueError."""
    pair = make_authority(NOW, 100_000)
    der = x509.load_pem_x509_certificate(pair.certificate.pem.encode()).public_bytes(
        serialization.Encoding.DER
    )
    old, new = {
        "version": (bytes.fromhex("a003020102"), bytes.fromhex("a003020101")),
        "curve": (bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177")),
        # The second extension, key usage, becomes another basicConstraints.
        "extensions": (bytes.fromhex("0603551d0f"), bytes.fromhex("0603551d13")),
    }[spoil]
    assert old in der
    pem = ssl.DER_cert_to_PEM_cert(der.replace(old, new))
    with pytest.raises(ValueError, match=r"^the certificate is none in PEM, or cannot be read$"):
        read_authority(pem, pair.key_pem)
    if spoil == "version":  # what is only trusted is not looked into
        with pytest.raises(ValueError, match=r"^the bundle is none of certificates in PEM$"):
            read_certificates(pem)


def make_bare_certificate(key_pem: str) -> str:
    """As people made them before there were extensions."""
    key = serialization.load_pem_private_key(key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bare")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2040, 1, 1, tzinfo=dt.UTC))
    )
    made = builder.sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()
