"""Owns the course of an installation: examined, applied in order, waited for, and told as it goes.

Must not leave anybody guessing: where it stops, it says what is done and what is not.
"""

import shlex
import time
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from webhook.admission.outcome import RawObject
from webhook.cli.arguments import tell
from webhook.cli.install.applying import (
    PASSING,
    apply_object,
    explain_refusal,
    fetch_metadata,
    try_object,
)
from webhook.cli.install.installer import explain_exclusion
from webhook.cli.install.objects_there import find_objects, find_release, is_applied_by_us
from webhook.cli.install.paths import find_path, name_object
from webhook.cli.install.place import list_place_problems
from webhook.cli.install.readiness import list_missing, list_reasons
from webhook.cli.install.rollout import list_earlier_images, list_living_images
from webhook.cli.install.versions import FOR_GUARDS, parse_version
from webhook.install.definitions import KIND as DEFINITION
from webhook.install.names import APP
from webhook.install.objects import build_objects
from webhook.install.settings import InstallSettings
from webhook.kube import Kube, KubeError

_POLL_S: Final = 1.0
_REGISTRATION: Final = "MutatingWebhookConfiguration"
# With these would go what others have in them, or made of them.
_NEVER_PRUNED: Final = ("Namespace", DEFINITION)


class InstallError(Exception):
    """It stops here; the text says why, line by line."""


class Course:
    """One installation; each step may raise InstallError or KubeError."""

    def __init__(self, kube: Kube, settings: InstallSettings, *, force: bool) -> None:
        self._kube = kube
        self._settings = settings
        self._objects = build_objects(settings)
        self._system = settings.namespace
        self._force = force

    def examine(self) -> None:
        """Try everything as a dry run, so that nothing is begun that cannot be ended."""
        try:
            self._examine()
        except KubeError as error:
            raise InstallError(f"{error}\nnothing was changed") from None

    def _examine(self) -> None:
        document = self._kube.request("GET", "/version").document
        version = parse_version(document)
        if version is not None and version < FOR_GUARDS:
            raise InstallError(
                f"the cluster is {document['gitVersion']}: MCA's guards need 1.30 or newer"
            )
        if excluded := explain_exclusion(self._kube, self._settings):
            raise InstallError(f"{excluded}\nnothing was changed")
        self._refuse_release()
        self._refuse_place()
        self._expect_rollout()
        tell([f"trying {len(self._objects)} objects on {self._kube.server}"])
        problems = [line for each in self._objects for line in self._try(each)]
        if problems:
            raise InstallError("\n".join([*problems, "nothing was changed"]))
        for document in self._list_dropped():
            tell([f"  {name_object(document)}: no longer part of it, would be deleted"])

    def _refuse_release(self) -> None:
        """Before anything else: the two would undo each other's work."""
        for document in self._objects:
            metadata = fetch_metadata(self._kube, document) if _is_telling(document) else None
            if metadata and (release := find_release(metadata)):
                raise InstallError(
                    f"{name_object(document)} belongs to the Helm release {release}: "
                    "upgrade that with helm, or uninstall it first"
                )

    def _refuse_place(self) -> None:
        lent = not self._settings.make_namespace
        if problems := list(list_place_problems(self._kube, self._system, lent=lent)):
            raise InstallError("\n".join([*problems, "nothing was changed"]))

    def _expect_rollout(self) -> None:
        """Webhooks that are to be replaced put in their image: guards accept it until then.

        The controller remembers it for longer: pods keep their sidecars.
        """
        living = list_living_images(self._kube, self._system)
        previous = self._without_newest(living)
        known = list_earlier_images(self._kube, self._system)
        earlier = self._without_newest([*self._settings.earlier_sidecar_images, *known, *living])
        self._settings = replace(self._settings, earlier_sidecar_images=earlier)
        accepting = replace(self._settings, previous_sidecar_images=previous)
        self._objects = build_objects(accepting)

    def _without_newest(self, images: list[str]) -> tuple[str, ...]:
        return tuple(
            image for image in dict.fromkeys(images) if image != self._settings.sidecar_image
        )

    def _try(self, document: RawObject) -> Iterator[str]:
        """Where the namespace is not there yet, what goes into it can only be tried later."""
        try:
            outcome = try_object(self._kube, document, force=self._force)
        except KubeError as error:
            waits = error.status == HTTPStatus.NOT_FOUND and _lacks_namespace(error)
            if waits and document["metadata"].get("namespace") == self._system:
                tell([f"  {name_object(document)}: waits for its namespace"])
                return
            wrong, remedy = explain_refusal(document, error)
            yield f"{name_object(document)}: {wrong}"
            yield f"  {remedy}"
            return
        if outcome != "unchanged":
            tell([f"  {name_object(document)}: would be {outcome}"])

    def apply(self) -> None:
        """In order: where one is refused, those before it stay and do no harm."""
        tell(["applying"])
        for place, document in enumerate(self._objects):
            name = name_object(document)
            try:
                outcome = apply_object(self._kube, document, force=self._force)
            except KubeError as error:
                wrong, remedy = explain_refusal(document, error)
                left = len(self._objects) - place
                raise InstallError(
                    f"{name}: {wrong}\n  {remedy}\n"
                    f"{place} objects are applied and stay, {left} are not; "
                    f"run the same command again to go on, or mca uninstall{self._where}"
                ) from None
            tell([f"  {name} {outcome}"])

    def prune(self) -> None:
        """What an earlier installation had and this one has not, once nobody needs it any more."""
        for document in self._list_dropped():
            self._kube.request("DELETE", find_path(document))
            tell([f"  {name_object(document)} deleted: no longer part of it"])

    def _list_dropped(self) -> list[RawObject]:
        """No more than we applied, and never a namespace with whatever is in it."""
        kept = {find_path(document) for document in self._objects}
        found = [
            there.document()
            for there in find_objects(self._kube, self._system)
            if is_applied_by_us(there.metadata) and there.kind not in _NEVER_PRUNED
        ]
        return [document for document in found if find_path(document) not in kept]

    def wait(self, seconds: int) -> None:
        """Until new pods get their sidecar."""
        deadline = time.monotonic() + seconds
        told: list[str] = []
        while missing := self._list_missing_patiently():
            if missing != told:
                tell([f"waiting: {', '.join(missing)}"])
                told = missing
            if time.monotonic() > deadline:
                raise InstallError(self._describe_delay(missing, seconds))
            time.sleep(_POLL_S)
        tell(["webhook and controller serve"])

    def settle(self) -> None:
        """No webhook puts in an earlier image any more, so none is accepted."""
        objects = build_objects(self._settings)
        if objects != self._objects:
            self._objects = objects
            tell(["the earlier image of sidecars is no longer accepted for new pods"])
            self.apply()

    def _list_missing_patiently(self) -> list[str]:
        """An API server that is busy or starts again is waited for as well."""
        try:
            return self._list_missing()
        except KubeError as error:
            if error.status not in PASSING:
                raise
            return [f"the API server answers again ({error})"]

    def _list_missing(self) -> list[str]:
        stored = [
            self._kube.request("GET", find_path(document)).document
            for document in self._objects
            if document["kind"] in ("Deployment", _REGISTRATION)
        ]
        *deployments, registration = stored  # it is installed last
        return list(list_missing(deployments, registration))

    def _describe_delay(self, missing: list[str], seconds: int) -> str:
        path = f"/api/v1/namespaces/{self._system}/pods"
        query = {"labelSelector": f"app.kubernetes.io/name={APP}"}
        pods = self._kube.request("GET", path, query=query).document["items"]
        reasons = list_reasons(pods)
        return (
            f"everything is applied, but not ready after {seconds} s: {', '.join(missing)}"
            f"{' (' + ', '.join(reasons) + ')' if reasons else ''}\n"
            f"  kubectl describe pods -n {self._system} -l app.kubernetes.io/name={APP}"
            f"{self._where}\n"
            f"  kubectl logs -n {self._system} deployment/mca-webhook{self._where}\n"
            f"  kubectl logs -n {self._system} deployment/mca-controller{self._where}\n"
            "until then no pod starts in a labelled namespace; run the same command again to go "
            f"on waiting, or mca uninstall{self._where}"
        )

    @property
    def _where(self) -> str:
        """For commands that are told: it may be a member, whose context is not the current one."""
        context = self._kube.context
        return f" --context {shlex.quote(context)}" if context else ""

    def tell_next(self, *, waited: bool) -> None:
        """What whoever installed it wants to do now."""
        done = "installed" if waited else "applied, and not waited for"
        tell(
            [
                f"{done}. Next:",
                "  kubectl label namespace NAME mca.io/injection=enabled",
                "  mca check",
            ]
        )


def _is_telling(document: RawObject) -> bool:
    """Of a release or not: these are in each."""
    return document["kind"] in ("Deployment", _REGISTRATION)


def _lacks_namespace(error: KubeError) -> bool:
    return error.details.get("kind") == "namespaces"
