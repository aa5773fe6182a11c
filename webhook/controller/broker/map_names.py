"""Owns the names of the ConfigMaps in which it is told what sidecars run.

Fixed ones, and few: by them the controller's rights are given. Must not import anything heavy: the
installation needs them, too.
"""

import zlib
from typing import Final

STATUS_MAP: Final = "mca-status"
# Of that one, the key with the sums.
STATUS_KEY: Final = "status.json"
_SHARDS: Final = 8
# Each has some of the namespaces: 5,000 with ten sidecars each, told by two replicas, are 0.8 MB,
# and an object has 1 MiB at most.
SHARDS: Final = tuple(f"mca-reports-{number}" for number in range(_SHARDS))
MAP_NAMES: Final = (STATUS_MAP, *SHARDS)


def find_shard(namespace: str) -> str:
    """Where a namespace's sidecars are told of."""
    return SHARDS[zlib.crc32(namespace.encode()) % _SHARDS]
