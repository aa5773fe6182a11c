"""What a node needs of the machine it runs on: root, Linux, and a few of Debian's packages.

Owns saying what is missing, and installing it where that can be done.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# A command or a file that shows that the package is there.
PACKAGES = {
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "nftables": "nft",
    "conntrack": "conntrack",
    "iproute2": "ip",
    "util-linux": "unshare",
    "debootstrap": "debootstrap",
}
# Debian keeps these where not every user's PATH leads.
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class UnfitError(RuntimeError):
    """This machine cannot have a node; the message says what would help."""


def prepare_host() -> None:
    """Install what is missing, or say why that cannot be."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise UnfitError("a node needs Linux and root: run this as root in a virtual machine")
    missing = list_missing()
    if missing:
        _install(missing)
    if missing := list_missing():
        raise UnfitError(
            f"installed, but not found: {', '.join(PACKAGES[name] for name in missing)}"
        )


def list_missing(search: str | None = None, root: Path = Path("/")) -> list[str]:
    """The packages that are not there."""

    def is_there(sign: str) -> bool:
        if "/" in sign:
            return (root / sign.lstrip("/")).exists()
        return shutil.which(sign, path=search or SEARCH) is not None

    return [package for package, sign in PACKAGES.items() if not is_there(sign)]


def _install(packages: list[str]) -> None:
    apt = shutil.which("apt-get", path=SEARCH)
    if apt is None:
        raise UnfitError(
            f"missing: {', '.join(packages)} (Debian's names), and there is no apt-get here: "
            "install them with this system's own tool and run it again"
        )
    print(f"installing Debian packages: {' '.join(packages)}", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            [apt, "-q", *command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise UnfitError(f"apt-get {command[0]} failed: {done.stdout[-2000:]}")
