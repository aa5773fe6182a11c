"""Owns what a ClusterProfile of the cluster inventory API says: where a cluster is, and its CA.

Nothing else of one is taken, neither an audience nor a credential: who may write profiles says what
there is, and admins say what it is trusted with. Must not write.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from webhook.resources.clusters import PROFILE, parse_cluster
from webhook.resources.meta import Invalid, Meta, RawDocument, documents, mapping, read_meta
from webhook.resources.names import API_VERSION

API: Final = "multicluster.x-k8s.io/v1alpha1"
KIND: Final = "ClusterProfile"
# The second is what the first was called before release 0.1 of the API.
_LISTS: Final = ("accessProviders", "credentialProviders")
_REFUSED: Final = {
    "insecure-skip-tls-verify": "members are always verified: give its certificate-authority-data",
    "proxy-url": "members are called directly",
    "certificate-authority": "is a path on another machine: give certificate-authority-data",
}


class Profile(NamedTuple):
    """One that says where its cluster is."""

    meta: Meta
    server: str
    ca_bundle: str
    tls_server_name: str = ""

    @property
    def key(self) -> str:
        """As Clusters name it."""
        return f"{self.meta.namespace}/{self.meta.name}"


def find_path(namespace: str) -> str:
    """Where the profiles of a namespace are listed."""
    return f"/apis/{API}/namespaces/{namespace}/clusterprofiles"


def parse_profile(document: RawDocument) -> Profile | Invalid:
    """The profile, or all that is wrong with it."""
    found = read_meta(document)
    meta = Meta(found.name, found.uid, found.namespace)
    problems: list[str] = []
    places = set(_list_places(mapping(document.get("status")), problems))
    if not problems and len(places) != 1:
        told = "names no server" if not places else "name different servers or CAs"
        problems.append(f"status.accessProviders: {told}: one place is needed")
    if problems:
        return Invalid(meta, tuple(problems))
    profile = Profile(meta, *places.pop())
    made = parse_cluster(build_cluster(profile))
    return Invalid(meta, made.problems) if isinstance(made, Invalid) else profile


def build_cluster(profile: Profile) -> RawDocument:
    """The Cluster as it is made. Its tokens open nothing before the member is told to trust them.

    Who wants other credentials makes the Cluster before, with the annotation of its profile.
    """
    document = build_place(profile)
    document["spec"]["credentials"] = {"audience": {}}
    return document


def build_place(profile: Profile) -> RawDocument:
    """The fields that follow the profile for good."""
    spec = {"server": profile.server, "caBundle": profile.ca_bundle}
    if profile.tls_server_name:
        spec["tlsServerName"] = profile.tls_server_name
    return {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": {"name": profile.meta.name, "annotations": {PROFILE: profile.key}},
        "spec": spec,
    }


def _list_places(status: RawDocument, problems: list[str]) -> Iterator[tuple[str, str, str]]:
    """Server, CA and the name in its certificate, of each provider of the newer list."""
    name = next((each for each in _LISTS if documents(status.get(each))), _LISTS[0])
    for at, provider in enumerate(documents(status.get(name))):
        cluster = mapping(provider.get("cluster"))
        path = f"status.{name}[{at}].cluster"
        if not cluster:
            continue
        given = [key for key in _REFUSED if cluster.get(key)]
        problems += [f"{path}.{key}: {_REFUSED[key]}" for key in given]
        ca = cluster.get("certificate-authority-data")
        if not ca and "certificate-authority" not in given:
            problems.append(f"{path}.certificate-authority-data: is missing")
        yield (
            str(cluster.get("server") or "").removesuffix("/"),
            str(ca or ""),
            str(cluster.get("tls-server-name") or ""),
        )
