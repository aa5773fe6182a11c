"""`python -m webhook.guards --image NAME@sha256:…` prints the guards as YAML for kubectl.

Owns the arguments only. Must not call an API: what it prints can be read before it is applied.
"""

import argparse
import sys

from webhook.admission.settings import SIDECAR_UID
from webhook.guards.rendering import render_yaml
from webhook.guards.settings import (
    DEFAULT_ADMIN_GROUPS,
    DEFAULT_SYSTEM_NAMESPACE,
    GuardSettings,
)

EXIT_CONFIGURATION = 64


def main(arguments: list[str]) -> int:
    """Print all guards, or what is wrong with the arguments."""
    given = _parse(arguments)
    try:
        settings = GuardSettings(
            image=given.image,
            previous_images=tuple(given.previous_image),
            admin_users=tuple(given.admin_user),
            admin_groups=tuple(given.admin_group or DEFAULT_ADMIN_GROUPS),
            controllers=tuple(given.controller),
            system_namespace=given.system_namespace,
            audiences=tuple(given.audience),
            uid=given.uid,
            policy=given.policy,
        )
    except ValueError as error:
        sys.stderr.write(f"webhook.guards: {error}\n")
        return EXIT_CONFIGURATION
    sys.stdout.write(render_yaml(settings))
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m webhook.guards",
        description="Print the ValidatingAdmissionPolicies that guard enforced namespaces.",
    )
    add = parser.add_argument
    add("--image", required=True, help="the sidecar's image, by digest: NAME@sha256:…")
    add("--previous-image", action="append", default=[], help="accepted too; repeatable")
    add("--uid", type=int, default=SIDECAR_UID, help="the sidecar's user id (%(default)s)")
    add("--admin-user", action="append", default=[], metavar="USER", help="repeatable")
    groups = ", ".join(DEFAULT_ADMIN_GROUPS)
    add("--admin-group", action="append", metavar="GROUP", help=f"repeatable ({groups})")
    add(
        "--controller", action="append", default=[], metavar="USER",
        help="an account trusted as admins are, which writes objects mca-…; repeatable (none)",
    )  # fmt: skip
    add(
        "--system-namespace", metavar="NAME", default=DEFAULT_SYSTEM_NAMESPACE,
        help="where MCA itself is (%(default)s)",
    )  # fmt: skip
    add(
        "--audience",
        action="append",
        default=[],
        help="that tokens in application containers may be for; repeatable (none)",
    )
    add(
        "--policy", choices=("home", "controller"), default="home",
        help="what sidecars live by (%(default)s)",
    )  # fmt: skip
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
