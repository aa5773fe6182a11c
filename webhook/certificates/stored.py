"""Owns the form in which the CAs lie in their Secret, and how that is read.

Must not trust it: whoever may write the Secret may write nonsense, and what is not usable counts
for nothing. Must not show a key.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.certificates.planning import Authority
from webhook.certificates.signing import BACKDATED_S, Pair, read_authority

# The CAs with their keys, and what the replicas have to tell each other.
AUTHORITIES_KEY: Final = "authorities.json"
_VERSION: Final = 1


class NewerVersionError(Exception):
    """The Secret is of a later release. What that keeps there is not for this one to replace."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the Secret says: CAs, the oldest first, and until when others stay trusted."""

    authorities: tuple[Authority, ...] = ()
    pairs: Mapping[str, Pair] = field(default_factory=dict)
    leaving: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()  # why something of it counts for nothing

    def select(self, kept: tuple[str, ...]) -> "Stored":
        """Without the others."""
        authorities = tuple(known for known in self.authorities if known.id in kept)
        return Stored(authorities, self.pairs, self.leaving)

    def add(self, pair: Pair) -> "Stored":
        """With one more, which nobody trusts yet."""
        authority = describe_authority(pair, None)
        pairs = {**self.pairs, authority.id: pair}
        return Stored((*self.authorities, authority), pairs, self.leaving)


def describe_authority(pair: Pair, published: float | None) -> Authority:
    """What planning needs of it."""
    found = pair.certificate
    made = found.not_before + BACKDATED_S
    return Authority(found.id, made, found.not_before, found.not_after, published)


def parse_data(data: Mapping[str, str]) -> Stored:
    """The Secret's `data`; one that is empty is a Secret as it was installed.

    NewerVersionError: replicas of two releases would replace each other's for as long as both run.
    """
    if AUTHORITIES_KEY not in data:
        return Stored(problems=(f"it has no {AUTHORITIES_KEY}",) if data else ())
    try:
        raw = json.loads(base64.b64decode(data[AUTHORITIES_KEY], validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return Stored(problems=(f"{AUTHORITIES_KEY} is no JSON",))
    version = raw.get("version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > _VERSION:
        raise NewerVersionError(f"{AUTHORITIES_KEY} is of version {version}, this is {_VERSION}")
    if version != _VERSION:
        return Stored(problems=(f"{AUTHORITIES_KEY} is none of version {_VERSION}",))
    listed = raw.get("authorities")
    if not isinstance(listed, list):
        return Stored(problems=("authorities is no list",))
    pairs: dict[str, Pair] = {}
    authorities: list[Authority] = []
    problems: list[str] = []
    for place, entry in enumerate(listed):
        try:
            pair = read_authority(str(entry["certificate"]), str(entry["key"]))
            authority = describe_authority(pair, _parse_time(entry.get("published")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            told = error if isinstance(error, ValueError) else "it is not complete"
            problems.append(f"authorities[{place}]: {told}")
            continue
        if authority.id not in pairs:
            pairs[authority.id] = pair
            authorities.append(authority)
    return Stored(tuple(authorities), pairs, _parse_leaving(raw.get("leaving")), tuple(problems))


def render_data(stored: Stored) -> dict[str, str]:
    """The Secret's `data`."""
    document = {
        "version": _VERSION,
        "authorities": [
            {
                "certificate": stored.pairs[known.id].certificate.pem,
                "key": stored.pairs[known.id].key_pem,
                "published": known.published,
            }
            for known in stored.authorities
        ],
        "leaving": dict(stored.leaving),
    }
    return {AUTHORITIES_KEY: base64.b64encode(json.dumps(document).encode()).decode()}


def _parse_time(raw: Any) -> float | None:
    """Unix seconds; what is none is not known."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    return float(raw) if abs(raw) < 1 << 53 else None


def _parse_leaving(raw: Any) -> dict[str, float]:
    if not isinstance(raw, dict):
        return {}
    times = {str(identity): _parse_time(until) for identity, until in raw.items()}
    return {identity: until for identity, until in times.items() if until is not None}
