"""Owns making a new identity: a CA, a leaf that it signs, and the seed of the callers' tokens.

Runs in a short-lived child process only, because `cryptography` costs what the sidecar may not
spend; nothing else imports this module. The CA's key is never written and dies with the child.
Certificates are DER by hand: of `cryptography` only the curve is loaded.
"""

import os
import time
from binascii import b2a_base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from sidecar.digest import sha256
from sidecar.identity import (
    CA_FILE,
    CERT_FILE,
    KEY_FILE,
    MANIFEST_FILE,
    SEED_FILE,
    render_manifest,
)
from sidecar.private_files import remove_drafts, write_file

# What clients call us: loopback, and the names that in-cluster settings and kubectl may hold.
DNS_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
ADDRESSES = (b"\x7f\x00\x00\x01", b"\x00" * 15 + b"\x01")

_DAY_S = 86400
# A pod's life and more: clients read a CA file once. Backdated, for clocks that differ.
_BACKDATED_S = _DAY_S
_VALID_S = 3653 * _DAY_S
_SEED_BYTES = 32

_EC_PUBLIC_KEY = "2a8648ce3d0201"
_PRIME256V1 = "2a8648ce3d030107"
_ECDSA_WITH_SHA256 = "2a8648ce3d040302"
_COMMON_NAME = "550403"
_SUBJECT_KEY_ID = "551d0e"
_KEY_USAGE = "551d0f"
_SUBJECT_ALT_NAME = "551d11"
_BASIC_CONSTRAINTS = "551d13"
_AUTHORITY_KEY_ID = "551d23"
_EXTENDED_KEY_USAGE = "551d25"
_SERVER_AUTH = "2b06010505070301"

# X.690: universal tags, and the context tags that RFC 5280 gives its fields.
_BOOLEAN, _INTEGER, _BITS, _OCTETS, _OID, _UTF8 = 0x01, 0x02, 0x03, 0x04, 0x06, 0x0C
_UTC_TIME, _GENERALIZED_TIME, _SEQUENCE, _SET = 0x17, 0x18, 0x30, 0x31
_SAN_DNS, _SAN_ADDRESS, _KEY_ID = 0x82, 0x87, 0x80


def mint(folder: int, now: float | None = None) -> None:
    """Write a new identity into the folder that the descriptor is open on.

    The manifest goes last: without one that fits, what is there counts for nothing.
    """
    not_before = int(time.time() if now is None else now) - _BACKDATED_S
    not_after = not_before + _VALID_S
    ca_key = ec.generate_private_key(ec.SECP256R1())
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    # The folder's own mark in the names: bundles that hold several of our CAs stay readable.
    mark = os.urandom(4).hex()
    issuer, subject = f"mca sidecar CA {mark}", f"mca sidecar {mark}"
    validity = _sequence(_time(not_before), _time(not_after))
    authority = _key_id(ca_key)
    ca = _certificate(issuer, issuer, validity, ca_key, ca_key, _ca_extensions(authority))
    leaf = _certificate(
        issuer, subject, validity, leaf_key, ca_key, _leaf_extensions(_key_id(leaf_key), authority)
    )
    files = {
        CA_FILE: _pem("CERTIFICATE", ca),
        CERT_FILE: _pem("CERTIFICATE", leaf),
        KEY_FILE: _pem("PRIVATE KEY", _private_key(leaf_key)),
        SEED_FILE: os.urandom(_SEED_BYTES),
    }
    remove_drafts(folder)
    for name, content in files.items():
        write_file(folder, name, content, 0o600)
    manifest = render_manifest(files, not_before, not_after)
    write_file(folder, MANIFEST_FILE, manifest, 0o600)


def _certificate(
    issuer: str,
    subject: str,
    validity: bytes,
    key: ec.EllipticCurvePrivateKey,
    ca_key: ec.EllipticCurvePrivateKey,
    extensions: bytes,
) -> bytes:
    algorithm = _sequence(_oid(_ECDSA_WITH_SHA256))
    # RFC 5280 4.1.2.2: positive, at most 20 octets; the top bits 01 keep the length and the sign.
    serial = bytearray(os.urandom(16))
    serial[0] = serial[0] & 0x3F | 0x40
    body = _sequence(
        _tlv(0xA0, _integer(2)),  # version 3
        _tlv(_INTEGER, bytes(serial)),
        algorithm,
        _name(issuer),
        validity,
        _name(subject),
        _public_key_info(key),
        _tlv(0xA3, extensions),
    )
    signature = ca_key.sign(body, ec.ECDSA(SHA256()))
    return _sequence(body, algorithm, _tlv(_BITS, b"\x00" + signature))


def _ca_extensions(key_id: bytes) -> bytes:
    return _sequence(
        _extension(_BASIC_CONSTRAINTS, _sequence(_tlv(_BOOLEAN, b"\xff"), _integer(0)), True),
        # keyCertSign and cRLSign are bits 5 and 6: one bit of the octet stays unused.
        _extension(_KEY_USAGE, _tlv(_BITS, b"\x01\x06"), True),
        _extension(_SUBJECT_KEY_ID, _tlv(_OCTETS, key_id)),
        _extension(_AUTHORITY_KEY_ID, _sequence(_tlv(_KEY_ID, key_id))),
    )


def _leaf_extensions(key_id: bytes, authority: bytes) -> bytes:
    names = [_tlv(_SAN_DNS, name.encode()) for name in DNS_NAMES]
    names += [_tlv(_SAN_ADDRESS, address) for address in ADDRESSES]
    return _sequence(
        _extension(_BASIC_CONSTRAINTS, _sequence(), True),
        # digitalSignature is bit 0: seven unused.
        _extension(_KEY_USAGE, _tlv(_BITS, b"\x07\x80"), True),
        _extension(_EXTENDED_KEY_USAGE, _sequence(_oid(_SERVER_AUTH))),
        _extension(_SUBJECT_ALT_NAME, _sequence(*names)),
        _extension(_SUBJECT_KEY_ID, _tlv(_OCTETS, key_id)),
        # RFC 5280 4.2.1.1: strict verifiers, Python 3.13's default, refuse a leaf without it.
        _extension(_AUTHORITY_KEY_ID, _sequence(_tlv(_KEY_ID, authority))),
    )


def _extension(oid: str, value: bytes, critical: bool = False) -> bytes:
    flag = _tlv(_BOOLEAN, b"\xff") if critical else b""
    return _sequence(_oid(oid), flag, _tlv(_OCTETS, value))


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    # RFC 7093, method 1: no SHA-1, so that a FIPS build of OpenSSL does as well.
    return sha256(_point(key)).digest()[:20]


def _key_algorithm() -> bytes:
    return _sequence(_oid(_EC_PUBLIC_KEY), _oid(_PRIME256V1))


def _public_key_info(key: ec.EllipticCurvePrivateKey) -> bytes:
    return _sequence(_key_algorithm(), _tlv(_BITS, b"\x00" + _point(key)))


def _private_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    secret = key.private_numbers().private_value.to_bytes(32, "big")
    public = _tlv(0xA1, _tlv(_BITS, b"\x00" + _point(key)))
    sec1 = _sequence(_integer(1), _tlv(_OCTETS, secret), public)  # RFC 5915
    return _sequence(_integer(0), _key_algorithm(), _tlv(_OCTETS, sec1))  # RFC 5958


def _name(common_name: str) -> bytes:
    attribute = _sequence(_oid(_COMMON_NAME), _tlv(_UTF8, common_name.encode()))
    return _sequence(_tlv(_SET, attribute))


def _time(seconds: int) -> bytes:
    moment = time.gmtime(seconds)
    # RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
    if moment.tm_year < 2050:
        return _tlv(_UTC_TIME, time.strftime("%y%m%d%H%M%SZ", moment).encode())
    return _tlv(_GENERALIZED_TIME, time.strftime("%Y%m%d%H%M%SZ", moment).encode())


def _pem(label: str, der: bytes) -> bytes:
    text = b2a_base64(der, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    head, foot = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    return b"\n".join([head, *lines, foot, b""])


def _sequence(*parts: bytes) -> bytes:
    return _tlv(_SEQUENCE, b"".join(parts))


def _oid(body: str) -> bytes:
    return _tlv(_OID, bytes.fromhex(body))


def _integer(value: int) -> bytes:
    """A small, non-negative one."""
    return _tlv(_INTEGER, bytes([value]))


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
