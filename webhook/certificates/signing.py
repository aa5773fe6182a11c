"""Owns how the webhook's CAs and serving certificates are made and read.

Must not keep, write or log a key, and must not decide when one is made.
"""

import datetime as dt
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# For clocks of API servers that are behind.
BACKDATED_S: Final = 3600
_MARK_BYTES: Final = 4
_PEM: Final = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate as it is trusted: by its fingerprint, with its life in Unix seconds."""

    id: str
    pem: str
    not_before: float
    not_after: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, which no repr shows."""

    certificate: Certificate
    key_pem: str = field(repr=False)


def make_authority(now: float, life_s: float) -> Pair:
    """A CA that signs nothing but end-entity certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A mark of its own: a caBundle that holds several of ours stays readable.
    name = _name(f"mca webhook CA {secrets.token_hex(_MARK_BYTES)}")
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _begin(name, name, key, now, now + life_s)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(own, critical=False)
        .add_extension(_authority_key_id(own), critical=False)
    )
    return _finish(builder, key, key)


def sign_serving(authority: Pair, names: tuple[str, ...], now: float, life_s: float) -> Pair:
    """A serving certificate that ends no later than its CA."""
    issuer = x509.load_pem_x509_certificate(authority.certificate.pem.encode())
    signer = _load_key(authority.key_pem)
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    theirs = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    until = min(now + life_s, authority.certificate.not_after)
    subject = _name("mca webhook")
    builder = (
        _begin(subject, issuer.subject, key, now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .add_extension(own, critical=False)
        # RFC 5280 4.2.1.1; strict verifiers refuse a certificate without it.
        .add_extension(_authority_key_id(theirs), critical=False)
    )
    return _finish(builder, key, signer)


def read_certificates(pem: str) -> tuple[Certificate, ...]:
    """All of a bundle, in order; ValueError if it is no bundle, an empty one is."""
    if not pem.strip():
        return ()
    try:
        return tuple(_describe(found) for found in x509.load_pem_x509_certificates(pem.encode()))
    # Besides ValueError a parser raises InvalidVersion, UnsupportedAlgorithm and others, which
    # have nothing in common.
    except Exception:  # noqa: BLE001 - whatever somebody wrote there
        raise ValueError("the bundle is none of certificates in PEM") from None


def read_authority(certificate_pem: str, key_pem: str) -> Pair:
    """A CA with its key; ValueError if they cannot sign what we serve with."""
    try:
        found = x509.load_pem_x509_certificate(certificate_pem.encode())
        public_key, described = found.public_key(), _describe(found)
        is_authority = _is_authority(found)
    except Exception:  # noqa: BLE001 - as above
        raise ValueError("the certificate is none in PEM, or cannot be read") from None
    if public_key != _load_key(key_pem).public_key():
        raise ValueError("the key is not the certificate's")
    if not is_authority:
        raise ValueError("the certificate is none of a CA")
    return Pair(described, key_pem)


def _is_authority(found: x509.Certificate) -> bool:
    try:
        return found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: float,
    until: float,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(now - BACKDATED_S, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(until, dt.UTC))
    )


def _finish(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
) -> Pair:
    key_pem = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return Pair(_describe(builder.sign(signer, hashes.SHA256())), key_pem)


def _describe(found: x509.Certificate) -> Certificate:
    return Certificate(
        found.fingerprint(hashes.SHA256()).hex(),
        found.public_bytes(_PEM).decode(),
        found.not_valid_before_utc.timestamp(),
        found.not_valid_after_utc.timestamp(),
    )


def _load_key(pem: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    # Its own text may tell of the key.
    except Exception:  # noqa: BLE001 - as above
        raise ValueError("the key is no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is none of an elliptic curve")  # noqa: TRY004 - a bad value
    return key


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority_key_id(key_id: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
