"""Owns how ClusterProfiles become Clusters: made once, then kept where the profile says.

Must not take over a Cluster that somebody else has made, nor delete one: without its profile it is
not usable any more, and whoever wants it gone deletes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from webhook.controller.members.profiles import Profile, build_cluster, build_place
from webhook.kube import Kube, KubeError
from webhook.resources.clusters import PROFILE, Cluster
from webhook.resources.meta import Invalid, Meta
from webhook.resources.names import CLUSTERS_PATH, object_path

MANAGER: Final = "mca-controller-profiles"
# Of what is set once: later the field is whose it is set by.
_MAKER: Final = "mca-controller-profile-defaults"


@dataclass(frozen=True, slots=True)
class Inventory:
    """`find` reads profiles by namespace/name, `find_cluster` Clusters by name."""

    writer: Kube
    find: Callable[[str], Profile | Invalid | None]
    find_cluster: Callable[[str], Cluster | Invalid | None]
    tell: Callable[[Meta, str, str], None]

    def reconcile(self, key: str) -> None:
        """Make its Cluster, or let it follow."""
        profile = self.find(key)
        if profile is None:
            return
        if isinstance(profile, Invalid):
            self.tell(profile.meta, "ProfileInvalid", "; ".join(profile.problems))
            return
        cluster = self.find_cluster(profile.meta.name)
        if cluster is None:
            self._create(profile)
        elif cluster.meta.annotations.get(PROFILE) != profile.key:
            told = "a Cluster of this name is there, and is not made of this profile"
            self.tell(profile.meta, "NameTaken", told)
        elif isinstance(cluster, Invalid) or _place(cluster) != _place(profile):
            path = object_path("Cluster", profile.meta.name)
            place = build_place(profile)
            # Made anew by somebody meanwhile, it is no more this profile's.
            place["metadata"]["resourceVersion"] = cluster.meta.resource_version
            self.writer.apply(path, place, MANAGER)

    def _create(self, profile: Profile) -> None:
        try:
            self.writer.request(
                "POST", CLUSTERS_PATH, build_cluster(profile), query={"fieldManager": _MAKER}
            )
        except KubeError as error:
            if error.status != HTTPStatus.CONFLICT:  # somebody was faster: it is looked at again
                raise


def _place(found: Cluster | Profile) -> tuple[str, str, str]:
    return found.server, found.ca_bundle, found.tls_server_name
