"""Owns the two objects that the replicas share at the API server: how they are read and written.

Must not decide what is written. Each is written only as it was read: whoever was faster wins, and
the other looks again. Of the registration nothing but the caBundles is ever touched. A third, the
ConfigMap, is only shown to others.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from webhook.admission.registration import NAME as REGISTRATION
from webhook.certificates.signing import Certificate, read_certificates
from webhook.install.names import CA_MAP, CA_SECRET as SECRET
from webhook.kube import MERGE_PATCH, Kube, KubeError, RawDocument

_MANAGER: Final = {"fieldManager": "mca-webhook"}
_REGISTRATIONS: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_STRATEGIC: Final = "application/strategic-merge-patch+json"
_SHOWN_KEY: Final = "ca.crt"
_CALL_S: Final = 10.0
_WATCH_S: Final = 300.0
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409


class Registration(NamedTuple):
    """The webhooks by name with their caBundles; a bundle that cannot be read is None."""

    version: str
    bundles: Mapping[str, tuple[Certificate, ...] | None]


@dataclass(frozen=True, slots=True)
class SharedObjects:
    """Where the two objects are. Every call may raise KubeError."""

    kube: Kube
    namespace: str

    @property
    def places(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Collection and name of each, to be watched: a name is all that our rights are for."""
        return (_REGISTRATIONS, REGISTRATION), (self._secrets, SECRET)

    @property
    def shown_places(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Likewise, for who only looks at what is shown."""
        return (self._maps, CA_MAP), (self._secrets, SECRET)

    @property
    def _maps(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    @property
    def _secrets(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets"

    def read_registration(self) -> Registration | None:
        """As it is; None if there is none."""
        try:
            raw = self.kube.request("GET", f"{_REGISTRATIONS}/{REGISTRATION}", timeout_s=_CALL_S)
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        webhooks = raw.document.get("webhooks") or ()
        bundles = {
            str(entry["name"]): _parse_bundle((entry.get("clientConfig") or {}).get("caBundle"))
            for entry in webhooks
        }
        return Registration(str(raw.document["metadata"]["resourceVersion"]), bundles)

    def publish(self, registration: Registration, pem: str) -> bool:
        """Set all caBundles; False if the registration is no more what was read."""
        bundle = base64.b64encode(pem.encode()).decode()
        patch = {
            "metadata": {"resourceVersion": registration.version},
            "webhooks": [
                {"name": name, "clientConfig": {"caBundle": bundle}}
                for name in registration.bundles
            ],
        }
        path = f"{_REGISTRATIONS}/{REGISTRATION}"
        return self._write("PATCH", path, patch, content_type=_STRATEGIC)

    def read_secret(self) -> RawDocument:
        """The Secret, whole; who may not create Secrets cannot do without it."""
        try:
            path = f"{self._secrets}/{SECRET}"
            return self.kube.request("GET", path, timeout_s=_CALL_S).document
        except KubeError as error:
            if error.status != _NOT_FOUND:
                raise
            told = f"the Secret {self.namespace}/{SECRET} is not there: apply the manifests again"
            raise KubeError(error.status, error.reason, told) from None

    def store(self, secret: RawDocument, data: Mapping[str, str]) -> bool:
        """Set those keys of the Secret; False if it is no more what was read."""
        document = {**secret, "data": {**(secret.get("data") or {}), **data}}
        return self._write("PUT", f"{self._secrets}/{SECRET}", document)

    def show(self, pem: str) -> None:
        """Tell who is no API server what the webhook's certificates are verified by."""
        path = f"{self._maps}/{CA_MAP}"
        self._write("PATCH", path, {"data": {_SHOWN_KEY: pem}}, content_type=MERGE_PATCH)

    def read_shown(self) -> tuple[Certificate, ...] | None:
        """What was told; None if it cannot be read."""
        raw = self.kube.request("GET", f"{self._maps}/{CA_MAP}", timeout_s=_CALL_S).document
        try:
            return read_certificates(str((raw.get("data") or {}).get(_SHOWN_KEY) or ""))
        except ValueError:
            return None

    def follow(self, collection: str, name: str) -> Iterator[RawDocument]:
        """The events of one of `places`, until its watch ends."""
        only = {"fieldSelector": f"metadata.name={name}"}
        return self.kube.watch(collection, query=only, timeout_s=_WATCH_S)

    def _write(
        self, method: str, path: str, body: Any, content_type: str = "application/json"
    ) -> bool:
        try:
            self.kube.request(
                method,
                path,
                body,
                query=_MANAGER,
                content_type=content_type,
                timeout_s=_CALL_S,
            )
        except KubeError as error:
            if error.status == _CONFLICT:
                return False
            raise
        return True


def _parse_bundle(raw: Any) -> tuple[Certificate, ...] | None:
    try:
        return read_certificates(base64.b64decode(raw or "", validate=True).decode())
    except (ValueError, TypeError, binascii.Error):
        return None
