"""Owns the judgement of volumes by what they hold: which of them give a token of the API server.

Must not trust a name alone: a tenant chooses those.
"""

from collections.abc import Collection, Iterator
from posixpath import basename, normpath
from typing import Final

from webhook.admission.names import API_ACCESS_PREFIX, SERVICE_ACCOUNT_PATH
from webhook.admission.outcome import RawObject

# In nearly every image /var/run is a link to /run.
_LAST_PART: Final = basename(SERVICE_ACCOUNT_PATH)
_ACCOUNT_PATHS: Final = (SERVICE_ACCOUNT_PATH, SERVICE_ACCOUNT_PATH.removeprefix("/var"))


def is_account_path(path: str) -> bool:
    """Whether programs look there for their service account."""
    # Most paths of a pod are none, and however one is spelled, its last part stands in it.
    return _LAST_PART in path and normpath(path.replace("//", "/")) in _ACCOUNT_PATHS


def list_containers(spec: RawObject) -> Iterator[RawObject]:
    """Init containers, then the others, as the kubelet starts them."""
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def list_audiences(volume: RawObject) -> Iterator[str]:
    """Of each token in it; an empty one is the API server's."""
    for source in (volume.get("projected") or {}).get("sources") or ():
        token = source.get("serviceAccountToken")
        if token is not None:
            yield token.get("audience") or ""


def find_access_volumes(spec: RawObject, kept: Collection[str]) -> frozenset[str]:
    """Volumes with a token of the API server that stand for a container's service account.

    They go, with all their mounts: left there, an ephemeral container could mount them. `kept`
    names those that are not looked at.
    """
    mounted = {
        mount["name"]
        for container in list_containers(spec)
        for mount in container.get("volumeMounts") or ()
        if is_account_path(mount["mountPath"])
    }
    return frozenset(
        volume["name"]
        for volume in spec.get("volumes") or ()
        if volume["name"] not in kept
        and (volume["name"] in mounted or volume["name"].startswith(API_ACCESS_PREFIX))
        and "" in list_audiences(volume)
    )
