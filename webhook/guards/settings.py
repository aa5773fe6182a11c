"""Owns what differs between installations, and that none of it can break out of a CEL literal.

Must not know which guard asks for what.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from webhook.admission.settings import SIDECAR_UID
from webhook.serving.setting_values import parse_image

DEFAULT_ADMIN_GROUPS = ("system:masters", "kubeadm:cluster-admins")
DEFAULT_SYSTEM_NAMESPACE = "mca-system"
# Whoever is in one of them need not be an admin.
ALL_GROUPS = (
    "system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:nodes",
)  # fmt: skip
# Of all service accounts of one namespace.
NAMESPACE_GROUPS = "system:serviceaccounts:"
ANONYMOUS = "system:anonymous"
# As kubeadm and the clouds name the API server in its tokens.
API_SERVER = "https://kubernetes.default"
# Of the broker's, and of members that trust this cluster's tokens.
OUR_AUDIENCES = "mca.io/"
_MAX_TEXT = 1024
_MAX_UID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Who is spared, and what the sidecar looks like.

    `image` is the one that injection puts in, by digest; `previous_images` are accepted too, while
    an upgrade replaces webhooks that still put those in. `audiences` are those that tokens in
    application containers may be for: never the API server's, a member's or MCA's own.
    """

    image: str
    previous_images: tuple[str, ...] = ()
    admin_users: tuple[str, ...] = ()
    admin_groups: tuple[str, ...] = DEFAULT_ADMIN_GROUPS
    # Accounts of MCA's own that are trusted as admins are, and write objects named `mca-…`. None:
    # whoever may create service accounts where one is missing would become it.
    controllers: tuple[str, ...] = ()
    # Where MCA itself is: objects named `mca-…` are nobody else's there.
    system_namespace: str = DEFAULT_SYSTEM_NAMESPACE
    audiences: tuple[str, ...] = ()
    uid: int = SIDECAR_UID
    # What sidecars live by, as injection is told.
    policy: Literal["home", "controller"] = "home"

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))

    def _problems(self) -> list[str]:
        found = []
        for name, images in (("image", (self.image,)), ("previous_images", self.previous_images)):
            for image in images:
                try:
                    parse_image(image)
                except ValueError as error:
                    found.append(f"{name}: {error}")
        if not 0 < self.uid <= _MAX_UID:
            found.append(f"uid: {self.uid} is not between 1 and {_MAX_UID}")
        if not (self.admin_users or self.admin_groups):
            found.append("admins: nobody could label a namespace: name a user or a group")
        for field in (
            "admin_users",
            "admin_groups",
            "controllers",
            "audiences",
            "system_namespace",
        ):
            told = getattr(self, field)
            found += [
                f"{field}: {text!r} is not a short printable text: correct it"
                for text in ((told,) if isinstance(told, str) else told)
                if not text or len(text) > _MAX_TEXT or not text.isprintable()
            ]
        found += [
            f"admin_groups: {group!r} holds tenants too: name a narrower group"
            for group in self.admin_groups
            if group in ALL_GROUPS or group.startswith(NAMESPACE_GROUPS)
        ]
        found += [
            f"audiences: {audience!r} is the API server's own: name other services only"
            for audience in self.audiences
            if audience.startswith(API_SERVER)
        ]
        found += [
            f"audiences: {audience!r} is MCA's own, for sidecars alone: name other services only"
            for audience in self.audiences
            if audience.startswith(OUR_AUDIENCES)
        ]
        found += [
            f"{field}: {ANONYMOUS} is anybody: name a user"
            for field in ("admin_users", "controllers")
            if ANONYMOUS in getattr(self, field)
        ]
        return found


def write_strings(texts: Sequence[str]) -> str:
    """A CEL list of strings. Printable JSON strings are CEL's."""
    return json.dumps(list(texts), ensure_ascii=False)


def write_string(text: str) -> str:
    """A CEL string."""
    return json.dumps(text, ensure_ascii=False)
