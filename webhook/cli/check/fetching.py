"""Owns how the facts are fetched: reads, questions about rights, and dry runs. Nothing is written.

Must not judge. What cannot be read is a fact as well: only a server that does not answer at all
ends it.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from webhook.admission.names import LABEL_BOUNDARY, LABEL_INJECTION
from webhook.admission.outcome import RawObject
from webhook.admission.registration import NAME
from webhook.cli.check.expectation import expect_objects
from webhook.cli.check.facts import (
    Attempt,
    ControllerFacts,
    Facts,
    Fetched,
    NamespaceFacts,
    Right,
)
from webhook.cli.check.rights import EXCESSES, list_rights
from webhook.cli.check.trial import build_trial
from webhook.cli.install.objects_there import LISTS_OF_METADATA, METADATA_ONLY
from webhook.cli.install.paths import find_path, name_object
from webhook.enforcement.report import ROOT_CA, TOKEN_SECRET_TYPE
from webhook.enforcement.stored_pod import has_sidecar
from webhook.install.names import APP, OF_CONTROLLER, WEBHOOK
from webhook.kube import Kube, KubeError
from webhook.resources.names import BROKER_SERVICE, CONTROLLER, NAMESPACES_PATH, POLICY

# Several at a time: most of it is waiting.
_AT_ONCE: Final = 8
_TRIALS: Final = 3
_PAUSE_S: Final = 0.5
_PAGE: Final = "500"
_TIMEOUT_S: Final = 15.0
_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_FLOWS: Final = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
_SLICES: Final = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
_DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_JSON: Final = "application/json"
# So that values of Secrets are not even sent.
_OURS: Final = f"app.kubernetes.io/part-of={APP}"
# Of nobody: it is tried as a dry run.
_PROBE_NAMESPACE: Final = "injection-check"


class Fetcher:
    """Asks one API server about an installation in the namespace `system`."""

    def __init__(self, kube: Kube, system: str) -> None:
        self._kube = kube
        self._system = system

    def fetch(self, namespaces: Sequence[str]) -> Facts:
        """Everything; KubeError if the server does not answer. No namespaces: the labelled ones."""
        version = self._kube.request("GET", "/version", timeout_s=_TIMEOUT_S).document
        system = self._system
        webhooks = {"labelSelector": f"app.kubernetes.io/component=webhook,{_OURS}"}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            start = pool.submit
            deployment = self._get(f"/apis/apps/v1/namespaces/{system}/deployments/{WEBHOOK}")
            expected = expect_objects(deployment.document, system)
            labelled, unlisted = ([], "") if namespaces else self._find_labelled()
            wanted = [*namespaces] or labelled
            kinds = start(self._get, _ADMISSION)
            registration = start(self._get, f"{_ADMISSION}/mutatingwebhookconfigurations/{NAME}")
            own = start(self._get, f"{NAMESPACES_PATH}/{system}")
            genuine = start(self._get, f"{NAMESPACES_PATH}/{system}/configmaps/{ROOT_CA}")
            pods = start(self._list, f"{NAMESPACES_PATH}/{system}/pods", **webhooks)
            pieces = _SLICES.format(system)
            service = {"labelSelector": f"kubernetes.io/service-name={WEBHOOK}"}
            endpoints = start(self._list, pieces, **service)
            policies = start(self._list, f"{_ADMISSION}/validatingadmissionpolicies")
            bindings = start(self._list, f"{_ADMISSION}/validatingadmissionpolicybindings")
            flows = start(self._list, _FLOWS, labelSelector=_OURS)
            controller = start(self._fetch_controller)
            objects = pool.map(self._get_metadata, map(find_path, expected))
            needs = list(dict.fromkeys(list_rights(expected)))
            rights = dict(zip(needs, pool.map(self._ask, needs), strict=True))
            excesses = EXCESSES if expected else ()
            return Facts(
                now=datetime.now(UTC),
                system=system,
                version=version,
                admission_kinds=kinds.result(),
                namespace=own.result(),
                deployment=deployment,
                pods=pods.result(),
                endpoints=endpoints.result(),
                genuine_ca=genuine.result(),
                registration=registration.result(),
                policies=policies.result(),
                bindings=bindings.result(),
                flow_schemas=flows.result(),
                controller=controller.result(),
                objects=dict(zip(map(name_object, expected), objects, strict=True)),
                rights=rights,
                excesses=dict(zip(excesses, pool.map(self._ask, excesses), strict=True)),
                labelling=self._try_labelling(),
                page=None if wanted else self._try_page(),
                namespaces=tuple(pool.map(self._fetch_namespace, wanted)),
                unlisted=unlisted,
            )

    def _fetch_controller(self) -> ControllerFacts:
        system = self._system
        pods = {"labelSelector": f"app.kubernetes.io/component={OF_CONTROLLER},{_OURS}"}
        service = {"labelSelector": f"kubernetes.io/service-name={BROKER_SERVICE}"}
        return ControllerFacts(
            deployment=self._get(f"/apis/apps/v1/namespaces/{system}/deployments/{CONTROLLER}"),
            pods=self._list(f"{NAMESPACES_PATH}/{system}/pods", **pods),
            endpoints=self._list(_SLICES.format(system), **service),
            lease=self._get(f"{_LEASES.format(system)}/{CONTROLLER}"),
            definitions=self._list(_DEFINITIONS, labelSelector=_OURS),
        )

    def _get(self, path: str, accept: str = _JSON) -> Fetched:
        """One object."""
        try:
            answer = self._kube.request("GET", path, accept=accept, timeout_s=_TIMEOUT_S)
        except KubeError as error:
            return _describe(error)
        return Fetched(answer.document)

    def _get_metadata(self, path: str) -> Fetched:
        """Enough to know that it is there."""
        return self._get(path, METADATA_ONLY)

    def _list(self, path: str, *, accept: str = _JSON, **selectors: str) -> Fetched:
        """A list, page by page."""
        items: list[RawObject] = []
        query = {**selectors, "limit": _PAGE}
        try:
            while True:
                page = self._kube.request(
                    "GET", path, query=query, accept=accept, timeout_s=_TIMEOUT_S
                ).document
                items += page.get("items") or ()
                query["continue"] = page["metadata"].get("continue") or ""
                if not query["continue"]:
                    return Fetched({"items": items})
        except KubeError as error:
            return _describe(error)

    def _find_labelled(self) -> tuple[list[str], str]:
        """Their names; why they are not known."""
        names: set[str] = set()
        for selector in (f"{LABEL_INJECTION}=enabled", f"{LABEL_BOUNDARY}=enforced"):
            found = self._list(NAMESPACES_PATH, labelSelector=selector)
            if found.problem:
                return [], found.problem
            names.update(item["metadata"]["name"] for item in found.items())
        return sorted(names - {self._system}), ""

    def _fetch_namespace(self, name: str) -> NamespaceFacts:
        root = f"{NAMESPACES_PATH}/{name}"
        return NamespaceFacts(
            name=name,
            namespace=self._get(root),
            pods=self._list(f"{root}/pods"),
            token_secrets=self._list(
                f"{root}/secrets",
                accept=LISTS_OF_METADATA,
                fieldSelector=f"type={TOKEN_SECRET_TYPE}",
            ),
            root_ca=self._get(f"{root}/configmaps/{ROOT_CA}"),
            services=self._list(f"{root}/services", accept=LISTS_OF_METADATA),
            attempt=self._try_pod(f"{root}/pods"),
            policy=self._get_metadata(f"{root}/configmaps/{POLICY}"),
        )

    def _try_pod(self, path: str) -> Attempt:
        """Again if nobody injected it: an API server sees a label, or a webhook, a moment late."""
        attempt = self._try("POST", path, build_trial())
        for _ in range(_TRIALS - 1):
            if attempt.document is None or has_sidecar(attempt.document) or attempt.warnings:
                break
            time.sleep(_PAUSE_S)
            attempt = self._try("POST", path, build_trial())
        return attempt

    def _ask(self, right: Right) -> bool | str:
        """Whether the account has it; why nobody knows."""
        resource, _, subresource = right.resource.partition("/")
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "name": right.name,
            "namespace": right.namespace,
        }
        account = f"system:serviceaccount:{self._system}:{right.account}"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{self._system}"]
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": account,
                "groups": [*groups, "system:authenticated"],
                "resourceAttributes": {key: text for key, text in attributes.items() if text},
            },
        }
        try:
            answer = self._kube.request("POST", _REVIEWS, review, timeout_s=_TIMEOUT_S)
        except KubeError as error:
            return f"rights of {account}: {error}"
        return bool(answer.document["status"]["allowed"])

    def _try_labelling(self) -> Attempt:
        """A new namespace with our label, which nobody will see."""
        labels = {LABEL_INJECTION: "enabled"}
        metadata: dict[str, Any] = {"generateName": f"{_PROBE_NAMESPACE}-", "labels": labels}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        return self._try("POST", NAMESPACES_PATH, body)

    def _try(self, method: str, path: str, body: RawObject) -> Attempt:
        """As a dry run: everybody is asked, nothing is stored."""
        try:
            answer = self._kube.request(
                method, path, body, query={"dryRun": "All"}, timeout_s=_TIMEOUT_S
            )
        except KubeError as error:
            return Attempt(error.status, None, str(error))
        return Attempt(answer.status, answer.document, warnings=answer.warnings)

    def _try_page(self) -> Attempt:
        """By the API server's own proxy: the way that its calls take, but for the certificate."""
        service = f"https:{WEBHOOK}:https"
        path = f"{NAMESPACES_PATH}/{self._system}/services/{service}/proxy/readyz"
        try:
            answer = self._kube.request("GET", path, timeout_s=_TIMEOUT_S)
        except KubeError as error:
            # It is a page of text, which no call of the API answers with.
            return Attempt(error.status, None, str(error))
        return Attempt(answer.status)


def _describe(error: KubeError) -> Fetched:
    if error.status == HTTPStatus.NOT_FOUND:
        return Fetched()
    return Fetched(problem=str(error))
