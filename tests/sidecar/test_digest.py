import hashlib
import hmac
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from sidecar import digest
from sidecar.digest import compare_digest, hmac_sha256, sha256


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_they_are_those_of_the_standard_library(key: bytes, message: bytes) -> None:
    assert sha256(message).digest() == hashlib.sha256(message).digest()
    assert sha256(message).hexdigest() == hashlib.sha256(message).hexdigest()
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")
    assert compare_digest(key, message) == (key == message)
    assert compare_digest(key, bytes(key))


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 131])
def test_keys_on_both_sides_of_a_block(size: int) -> None:
    key = b"\xaa" * size
    assert hmac_sha256(key, b"Hi There") == hmac.digest(key, b"Hi There", "sha256")


def test_openssls_digests_are_not_loaded() -> None:
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from sidecar.digest import hmac_sha256\n"
        "sys.exit('hashlib' in sys.modules)\n"
    )
    # Isolated, because coverage itself loads hashlib.
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


def test_without_the_lean_modules_openssls_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_sha2", None)
    monkeypatch.setitem(sys.modules, "_sha256", None)
    assert digest._find_sha256() is hashlib.sha256
