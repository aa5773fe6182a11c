"""Owns how a snapshot file is read for a person: the snapshot, or all that is wrong with it.

Must not judge what a good one says.
"""

from sidecar.policy.snapshot import MAX_SNAPSHOT_BYTES, Snapshot, parse_snapshot


class SourceError(Exception):
    """No usable snapshot; the text has a line for each thing that is wrong."""


def read_snapshot(path: str) -> Snapshot | tuple[str, ...]:
    """The snapshot in a file, or what is wrong with it; SourceError where there is no file."""
    try:
        with open(path, "rb") as file:
            # One byte more tells that it is too large.
            content = file.read(MAX_SNAPSHOT_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None
    return parse_snapshot(content)


def load_snapshot(path: str) -> Snapshot:
    """The snapshot in a file; SourceError says what is wrong."""
    found = read_snapshot(path)
    if not isinstance(found, Snapshot):
        raise SourceError("\n".join(f"{path}: {problem}" for problem in found))
    return found
