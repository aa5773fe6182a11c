"""Owns the wrapper that keeps a secret out of logs, errors and dumps.

Must not know what the secret is for. Whoever calls `reveal` answers for where the bytes go.
"""

from typing import NoReturn

from sidecar.digest import compare_digest


class Secret:
    """Bytes that show themselves only to `reveal`."""

    __slots__ = ("__value",)

    def __init__(self, value: bytes) -> None:
        self.__value = value

    def reveal(self) -> bytes:
        return self.__value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self.__value, other.__value)

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret is a hint at it

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied")
