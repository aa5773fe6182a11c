"""Owns the course of a registration: examined first, then the member, then home, then told.

The Cluster is last: what it needs is there before anybody sees it. Must not parse arguments.
"""

import argparse
from collections.abc import Iterator
from typing import Final, NamedTuple

from webhook.cli.arguments import tell
from webhook.cli.cluster.credential import fetch_credential
from webhook.cli.cluster.guards import settle_guards
from webhook.cli.cluster.home_objects import (
    build_credential,
    build_registration,
    build_spec,
    render_kubeconfig,
)
from webhook.cli.cluster.identity import (
    ACCESS_NAMESPACE,
    AUDIENCE,
    SECRET,
    Home,
    name_account,
    name_user,
)
from webhook.cli.cluster.look import describe_look, find_audience, wait_for_look
from webhook.cli.cluster.member import MEMBER_UID, Place, find_uid
from webhook.cli.cluster.member_objects import (
    build_account,
    build_looking,
    build_profiles,
    build_provisioning,
)
from webhook.cli.cluster.next_steps import describe_next
from webhook.cli.cluster.steps import StepError, Steps, find_path
from webhook.cli.cluster.trust import describe_trust
from webhook.cli.stored import find_document, list_documents
from webhook.kube import Kube, RawDocument
from webhook.resources.clusters import parse_cluster
from webhook.resources.meta import Invalid
from webhook.resources.names import CLUSTERS_PATH, LABEL_HOME, object_path

_LOOPBACK: Final = ("https://127.", "https://localhost", "https://[::1]")


class Wish(NamedTuple):
    """What is to be registered, and how."""

    name: str
    form: str
    context: str
    place: Place
    tenant: str = ""
    audience: str = ""
    user_prefix: str = ""
    labels: dict[str, str] = {}  # noqa: RUF012 - nobody writes into it
    provision: bool = False


class Adding:
    """One registration. Each step may raise StepError or KubeError."""

    def __init__(self, home: Kube, member: Kube, wish: Wish, system: str) -> None:
        self._wish = wish
        self._system = system
        self._at_home = Steps(home, "home")
        self._there = Steps(member, wish.name)
        self._home = Home("", system)
        self._member_uid = ""
        self._changed = False

    def examine(self) -> None:
        """Everything that can be wrong before anything is changed."""
        home, member = self._at_home.kube, self._there.kube
        uid, self._member_uid = find_uid(home), find_uid(member)
        if uid == self._member_uid:
            raise StepError(
                f"--context {self._wish.context} is home itself, which is always registered: name "
                "another cluster's context, or home's with --home-context"
            )
        self._home = Home(uid, self._system)
        list_documents(home, CLUSTERS_PATH, fieldSelector=f"metadata.name={self._wish.name}")
        parsed = parse_cluster(self._build_cluster())
        if isinstance(parsed, Invalid):
            raise StepError("\n".join(parsed.problems))
        there = find_document(home, object_path("Cluster", self._wish.name))
        if there is not None and there["spec"].get("server") != self._wish.place.server:
            raise StepError(
                f"Cluster {self._wish.name} is registered at {there['spec'].get('server')}: take "
                "another name, or remove it first"
            )
        if there is not None and self._is_of_another_form(there):
            raise StepError(
                f"Cluster {self._wish.name} is registered with other --credentials, which cannot "
                "be changed: take another name, or remove it first"
            )
        if find_document(home, f"/api/v1/namespaces/{self._system}") is None:
            raise StepError(f"home: namespace/{self._system} is not there: run mca install first")
        tell([f"registering {self._wish.name}, {self._wish.place.server}, at {home.server}"])
        if self._wish.place.server.startswith(_LOOPBACK):
            tell(["  note: that is an address of this machine: pods need another, by --server"])

    def prepare_member(self, given: argparse.Namespace) -> None:
        """The account, what it may do, and the guards."""
        self._changed = True
        if self._wish.form != AUDIENCE:
            self._there.apply(build_account(self._home, self._account))
        self._there.apply(build_looking(self._home, self._subject, self._suffix))
        if self._wish.provision:
            self._there.apply(build_provisioning(self._home, self._subject))
            # Those of an installation stay its own.
            missing = [each for each in build_profiles(self._home) if not self._is_there(each)]
            self._there.apply(missing)
        settle_guards(self._there.kube, given, self._user, self._home.uid)

    def register(self) -> None:
        """At home: the credential and who may read it, then the Cluster."""
        wish = self._wish
        if wish.form != AUDIENCE:
            credential = fetch_credential(self._there, self._home, self._account)
            token = credential.token.reveal().decode()
            kubeconfig = render_kubeconfig(wish.place.server, wish.place.ca_bundle, token)
            self._at_home.apply(build_credential(self._home, wish.name, kubeconfig, wish.tenant))
        self._at_home.apply_one(self._build_cluster())

    def describe_rest(self) -> str:
        """Where it stopped, what is there and how to go on."""
        if not self._changed:
            return "nothing was changed"
        name, context = self._wish.name, self._wish.context
        done = len(self._there.done) + len(self._at_home.done)
        return (
            f"{done} steps are done and stay, as told; the registration is not complete\n"
            "run the same command again to go on, or "
            f"mca cluster remove {name} --context {context}"
        )

    def describe_end(self, wait_s: int) -> Iterator[str]:
        """What the controller says of it, and what is left to do."""
        document = wait_for_look(self._at_home.kube, self._wish.name, wait_s)
        yield from describe_look(document)
        if self._wish.form == AUDIENCE:
            audience = find_audience(document)
            yield from describe_trust(
                self._at_home.kube, self._there.kube, audience, self._prefix, self._system
            )
        yield from describe_next(
            self._wish.name, self._wish.context, self._wish.tenant, self._account
        )

    @property
    def _account(self) -> str:
        return name_account(self._home, self._wish.tenant)

    @property
    def _prefix(self) -> str:
        return self._wish.user_prefix or f"mca-{self._home.mark}:"

    @property
    def _user(self) -> str:
        """Who the controller is on the member."""
        if self._wish.form == AUDIENCE:
            return f"{self._prefix}{self._home.controller}"
        return self._home.user

    @property
    def _suffix(self) -> str:
        """An audience has a user of its own, a tenant's Secret an account."""
        return {AUDIENCE: "-user", SECRET: f"-{self._wish.tenant}"}.get(self._wish.form, "")

    @property
    def _subject(self) -> RawDocument:
        if self._wish.form == AUDIENCE:
            return name_user(self._user)
        return {"kind": "ServiceAccount", "name": self._account, "namespace": ACCESS_NAMESPACE}

    def _is_there(self, document: RawDocument) -> bool:
        """Made by others; what was made here before is applied again."""
        there = self._there.find(find_path(document))
        return there is not None and LABEL_HOME not in there.get("labels", {})

    def _is_of_another_form(self, there: RawDocument) -> bool:
        spec = build_spec(self._wish.form, self._wish.name, self._wish.audience)
        return set(there["spec"].get("credentials") or ()) != set(spec["credentials"])

    def _build_cluster(self) -> RawDocument:
        wish, place = self._wish, self._wish.place
        spec = build_spec(wish.form, wish.name, wish.audience)
        spec |= {"server": place.server, "caBundle": place.ca_bundle}
        if place.tls_server_name:
            spec["tlsServerName"] = place.tls_server_name
        prefix = self._prefix if wish.form == AUDIENCE else ""
        document = build_registration(wish.name, spec, prefix)
        document["metadata"]["labels"] |= wish.labels
        document["metadata"].setdefault("annotations", {})[MEMBER_UID] = self._member_uid
        return document
