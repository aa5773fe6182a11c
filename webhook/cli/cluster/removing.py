"""Owns the course of a removal: what is found by its labels; it closes first, and then tidies.

Must not delete what others have made: an account of a tenant loses our marks, and stays.
"""

import shlex
from collections.abc import Iterator
from typing import Final

from webhook.cli.cluster.identity import ACCESS_NAMESPACE, LABEL_CLUSTER, name_secret
from webhook.cli.cluster.member import MEMBER_UID, find_uid
from webhook.cli.cluster.steps import StepError, Steps, find_path
from webhook.cli.install.objects_there import list_metadata
from webhook.cli.install.paths import find_collection, name_object
from webhook.cli.stored import find_document, list_documents
from webhook.kube import Kube, RawDocument
from webhook.resources.meta import read_meta
from webhook.resources.names import (
    API_VERSION,
    CLUSTERS_PATH,
    LABEL_HOME,
    NAMESPACES_PATH,
    TENANTS_PATH,
    object_path,
)

_RBAC: Final = "rbac.authorization.k8s.io/v1"
_AT_HOME: Final = (("v1", "Secret"), (_RBAC, "RoleBinding"), (_RBAC, "Role"))
# Rights go before who has them.
_RIGHTS: Final = (
    (_RBAC, "RoleBinding"), (_RBAC, "Role"), (_RBAC, "ClusterRoleBinding"), (_RBAC, "ClusterRole"),
)  # fmt: skip
_ACCOUNTS: Final = (("v1", "Secret"), ("v1", "ServiceAccount"))


class Removing:
    """One removal. Each step may raise StepError or KubeError."""

    def __init__(
        self, home: Kube, member: Kube | None, name: str, system: str, *, force: bool = False
    ) -> None:
        self._at_home = Steps(home, "home")
        self._there = None if member is None else Steps(member, name)
        self._name = name
        self._system = system
        self._force = force
        self._uid = ""
        self._twins: list[str] = []
        self.tenants: list[str] = []

    def examine(self) -> None:
        """What it is, and who would miss it."""
        home = self._at_home.kube
        self._uid = find_uid(home)
        self.tenants = sorted(
            str(tenant["metadata"]["name"])
            for tenant in list_documents(home, TENANTS_PATH)
            if self._name in (tenant["spec"].get("clusters") or ())
        )
        document = find_document(home, object_path("Cluster", self._name))
        if not self._force:
            self._examine_target(document)
        server = document["spec"].get("server") if document else None
        self._twins = [
            str(other["metadata"]["name"])
            for other in list_documents(home, CLUSTERS_PATH)
            if other["metadata"]["name"] != self._name and other["spec"].get("server") == server
        ]

    def _examine_target(self, document: RawDocument | None) -> None:
        """Of a name that is misspelt, or a wrong context, nothing is taken away."""
        secret = f"{NAMESPACES_PATH}/{self._system}/secrets/{name_secret(self._name)}"
        if document is None and self._at_home.find(secret) is None:
            raise StepError(
                f"Cluster {self._name} is not registered: mca cluster list; with --force what is "
                "left of it on the member of --context is taken away all the same"
            )
        if document is None or self._there is None:
            return
        uid = find_uid(self._there.kube)
        if uid != read_meta(document).annotations.get(MEMBER_UID, uid):
            raise StepError(
                f"--context is another cluster than {self._name}: name that one's, or --force"
            )

    def remove(self) -> None:
        """At home, then on the member."""
        name = name_secret(self._name)
        self._at_home.delete(_describe(API_VERSION, "Cluster", self._name))
        for api_version, kind in _AT_HOME:
            self._delete_own(_describe(api_version, kind, name, self._system))
        if self._there is not None and not self._twins:
            self._tidy(self._there)

    def _delete_own(self, document: RawDocument) -> None:
        """A Secret that was made by hand is its maker's."""
        there = self._at_home.find(find_path(document))
        if there is None:
            return
        if (there.get("labels") or {}).get(LABEL_CLUSTER) == self._name:
            self._at_home.delete(document)
        else:
            self._at_home.tell(f"{name_object(document)} stays: mca cluster add has not made it")

    def _tidy(self, there: Steps) -> None:
        namespaces = set()
        for api_version, kind in _RIGHTS:
            for document in self._find(there, api_version, kind):
                namespaces.add(document["metadata"].get("namespace") or "")
                there.delete(document)
        for namespace in sorted(namespaces - {"", ACCESS_NAMESPACE}):
            self._unmark(there, namespace)
        for api_version, kind in _ACCOUNTS:
            for document in self._find(there, api_version, kind):
                there.delete(document)
        path = find_collection("v1", "ServiceAccount", ACCESS_NAMESPACE)
        others = [
            metadata["name"]
            for metadata in list_metadata(there.kube, path, "")
            if metadata["name"] != "default"
        ]
        if not others:
            for document in self._find(there, "v1", "Namespace"):
                if document["metadata"]["name"] == ACCESS_NAMESPACE:
                    there.delete(document)

    def _find(self, there: Steps, api_version: str, kind: str) -> Iterator[RawDocument]:
        """What this home has made of a kind; tenants' own accounts have marks, and no label."""
        path = find_collection(api_version, kind, "")
        for metadata in list(list_metadata(there.kube, path, f"{LABEL_HOME}={self._uid}")):
            where = metadata.get("namespace") or ""
            yield _describe(api_version, kind, metadata["name"], where)

    def _unmark(self, there: Steps, namespace: str) -> None:
        path = find_collection("v1", "ServiceAccount", namespace)
        for metadata in list(list_metadata(there.kube, path, "")):
            if (metadata.get("annotations") or {}).get(LABEL_HOME) == self._uid:
                # Of what is applied without a field, ours are given up.
                there.apply_one(_describe("v1", "ServiceAccount", metadata["name"], namespace))

    def describe_rest(self) -> str:
        """What is gone, where it stopped."""
        done = [*self._at_home.done, *(self._there.done if self._there else ())]
        if not done:
            return "nothing was changed"
        return "what is told above is done; run it again with --force to go on"

    def describe_end(self) -> Iterator[str]:
        """What is left."""
        if self._twins:
            yield f"on the member all stays: it is registered as {', '.join(self._twins)}, too"
        elif self._there is None:
            told = "Run this again with --context and --force, or there"
            yield f"on the member nothing was touched. {told}:"
            kinds = "clusterrolebindings,clusterroles,rolebindings,roles,secrets,serviceaccounts"
            yield f"  kubectl delete {kinds} -A -l {LABEL_HOME}={self._uid}"
            yield f"  kubectl delete namespace {ACCESS_NAMESPACE}"
        else:
            command = f"mca uninstall --context {shlex.quote(self._there.kube.context)}"
            yield f"guards and webhook on the member stay: {command} takes them away"
        yield "removed"


def _describe(api_version: str, kind: str, name: str, namespace: str = "") -> RawDocument:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **where}}
