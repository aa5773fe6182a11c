"""Two tenants' pods as injection makes them, members that mint, and calls of the broker.

Owns objects at home and on the member, and tokens as the API server makes them. Must not judge.
"""

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from tests.controller.scene import (
    ACCOUNT,
    IMAGE,
    NAMESPACE,
    ControllerProcess,
    Home,
    RawObject,
    cluster_of,
    namespace_of,
    poll,
    tenant_of,
)
from tests.controlplane import ControlPlane
from webhook.admission.injection import inject
from webhook.admission.outcome import Injected, read_namespace
from webhook.admission.settings import InjectionSettings
from webhook.kube import Kube, open_server

RBAC = "rbac.authorization.k8s.io"
AUDIENCE = "mca.io/broker"
TYPE = "mca.io/cluster-credentials"
MINTER = "mca-home"


class BrokerScene:
    """`controller` answers; `west` is the member whose tokens it makes."""

    def __init__(self, home: Home, west: ControlPlane, controller: ControllerProcess) -> None:
        self.home = home
        self.plane = home.plane
        self.west = west
        self.controller = controller
        found = self.plane.request("GET", "/api/v1/namespaces/kube-system").json()
        self.home_uid: str = found["metadata"]["uid"]
        west.create_service_account("mca-access", MINTER)
        self.minter = west.token("mca-access", MINTER, seconds=86_400)

    @property
    def kube(self) -> Kube:
        """As the controller's account."""
        return open_server(self.plane.url, self.plane.ca_pem, token=self.home.token)

    def add_tenant(self, name: str, *clusters: str, namespace: str, **spec: Any) -> None:
        """With one enforced namespace, which it has claimed."""
        self.home.apply(
            tenant_of(name, namespace, clusters=list(clusters), boundary="enforced", **spec),
            enforced(namespace, tenant=name),
        )
        path = f"/api/v1/namespaces/{namespace}"
        poll(lambda: "mca.io/tenant-uid" in annotations_of(self.read(path)))

    def add_cluster(self, name: str, secret: Mapping[str, str], tenant: str = "") -> None:
        """Its tokens are minted, or, where a tenant is named, handed out of the Secret."""
        reference = {"secretRef": {"name": f"mca-cluster-{name}"}}
        credentials = reference if tenant else {"tokenRequest": reference}
        self.write_secret(name, secret, tenant)
        self.home.apply(cluster_of(name, self.west, **credentials))
        path = f"/apis/mca.io/v1alpha1/clusters/{name}"
        poll(lambda: self.home.condition(path, "Accepted").get("status") == "True", told=name)

    def write_secret(self, name: str, data: Mapping[str, str], tenant: str = "") -> None:
        """What `mca cluster add` writes: the Secret, and the right to read that one alone."""
        named = {"name": f"mca-cluster-{name}", "namespace": NAMESPACE}
        note = {"annotations": {"mca.io/tenant": tenant}} if tenant else {}
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{named['name']}"
        self.plane.request("DELETE", path)
        encoded = {key: encode(text) for key, text in data.items()}
        self.home.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": named | note, "type": TYPE,
             "data": encoded},
            {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": named, "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"],
                 "resourceNames": [named["name"]]}]},
            {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": named,
             "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": named["name"]},
             "subjects": [{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": ACCOUNT}]},
        )  # fmt: skip

    def list_account(self, namespace: str, account: str, tenant: str, home: str = "") -> None:
        """On the member, as `mca cluster allow` does: an account, and the right to its tokens."""
        self.west.create_service_account(namespace, account)
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}"
        notes = {"mca.io/home": home or self.home_uid, "mca.io/tenant": tenant}
        merge = {"Content-Type": "application/merge-patch+json"}
        body = json.dumps({"metadata": {"annotations": notes}}).encode()
        assert self.west.request("PATCH", path, body, headers=merge).status == 200
        base = f"/apis/{RBAC}/v1/namespaces/{namespace}"
        rule = {"apiGroups": [""], "resourceNames": [account]}
        rules = [
            {**rule, "resources": ["serviceaccounts"], "verbs": ["get"]},
            {**rule, "resources": ["serviceaccounts/token"], "verbs": ["create"]},
        ]
        role = {"metadata": {"name": f"mca-mint-{account}"}, "rules": rules}
        self.west.create(f"{base}/roles", role)
        subject = {"kind": "ServiceAccount", "namespace": "mca-access", "name": MINTER}
        reference = {"apiGroup": RBAC, "kind": "Role", "name": f"mca-mint-{account}"}
        binding = {
            "metadata": {"name": f"mca-mint-{account}"},
            "roleRef": reference,
            "subjects": [subject],
        }
        self.west.create(f"{base}/rolebindings", binding)

    def add_pod(
        self, namespace: str, name: str, account: str = "app", *, injected: bool = True, **spec: Any
    ) -> str:
        """Stored as it is after admission; its uid."""
        self.plane.create_service_account(namespace, account)
        pod: RawObject = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "serviceAccountName": account,
                "containers": [{"name": "app", "image": "app"}],
                **spec,
            },
        }
        if injected:
            settings = InjectionSettings(
                image=IMAGE, policy="controller", broker=self.controller.address
            )
            labels = {"mca.io/injection": "enabled", "mca.io/boundary": "enforced"}
            outcome = inject(pod, read_namespace(labels), settings, offline=True)
            assert isinstance(outcome, Injected), outcome
            pod = outcome.pod
        answer = self.plane.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod)
        assert answer.status == 201, answer.body
        return str(answer.json()["metadata"]["uid"])

    def token(
        self,
        namespace: str,
        pod: str = "",
        account: str = "app",
        *,
        uid: str = "",
        audiences: tuple[str, ...] = (AUDIENCE,),
        seconds: int = 3600,
    ) -> str:
        """As the kubelet asks for it, and as a tenant may where nothing keeps him from it."""
        spec: RawObject = {"audiences": list(audiences), "expirationSeconds": seconds}
        if pod:
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str(self.plane.create(path, {"spec": spec})["status"]["token"])

    def pod_token(self, namespace: str, name: str, account: str = "app", **spec: Any) -> str:
        """A sidecar's, of a new pod."""
        uid = self.add_pod(namespace, name, account, **spec)
        return self.token(namespace, name, account, uid=uid)

    def delete_pod(self, namespace: str, name: str) -> None:
        """At once."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}?gracePeriodSeconds=0"
        assert self.plane.request("DELETE", path).status == 200

    def ask(self, token: str, cluster: str = "west", **more: Any) -> "tuple[int, RawObject]":
        """POST /v1/credentials/<cluster>."""
        return self.call(f"/v1/credentials/{cluster}", token, **more)

    def call(
        self,
        path: str,
        token: str | None,
        body: bytes = b"{}",
        method: str = "POST",
        source: str = "127.0.0.1",
    ) -> "tuple[int, RawObject]":
        """The code, and the document."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection = http.client.HTTPSConnection(
            "127.0.0.1",
            self.controller.port,
            context=self.trust,
            timeout=30,
            source_address=(source, 0),
        )
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content else {}
        finally:
            connection.close()

    @property
    def trust(self) -> ssl.SSLContext:
        """As a snapshot says it."""
        return ssl.create_default_context(cadata=self.plane.ca_pem)

    def connect(self) -> ssl.SSLSocket:
        """For who speaks no HTTP, or slowly."""
        plain = socket.create_connection(("127.0.0.1", self.controller.port), timeout=30)
        return self.trust.wrap_socket(plain, server_hostname="127.0.0.1")

    def read(self, path: str) -> RawObject:
        """An object at home."""
        found: RawObject = self.plane.request("GET", path).json()
        return found

    def who_is(self, token: str) -> str:
        """What the member takes a token for."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        answer = self.west.request("POST", path, {}, token=token)
        if answer.status != 201:
            return f"{answer.status}"
        return str(answer.json()["status"]["userInfo"]["username"])


def enforced(name: str, tenant: str = "") -> RawObject:
    """A namespace with a boundary."""
    namespace = namespace_of(name, tenant, boundary="enforced")
    namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"
    return namespace


def annotations_of(document: RawObject) -> RawObject:
    found: RawObject = (document.get("metadata") or {}).get("annotations") or {}
    return found


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
