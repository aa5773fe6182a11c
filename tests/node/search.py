"""Runs in an application's container: prints each place that holds a credential.

Owns the search: every file of the file system that can be read, each process's environment,
arguments and open files, for tokens of service accounts, private keys, and the very bytes that
whoever sends this calls `main` with. Must not import anything that an application's image may lack.
"""

import base64
import os
import re
import stat
import sys
from collections.abc import Iterator

TOKEN = re.compile(rb"eyJ[\w-]{10,}\.(eyJ[\w-]{10,})\.[\w-]{10,}")
KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}")
# /proc is looked into by process; /sys is the kernel's.
SPARED = ("/proc", "/sys")
LARGEST = 64 << 20


def list_files() -> Iterator[str]:
    """Every path, and what the processes that can be seen were given or hold open."""
    for folder, below, names in os.walk("/"):
        below[:] = [d for d in below if os.path.join(folder, d) not in SPARED]
        yield from (os.path.join(folder, name) for name in names)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        yield from (f"/proc/{pid}/{name}" for name in ("environ", "cmdline"))
        for folder, _, names in os.walk(f"/proc/{pid}/fd"):
            yield from (os.path.join(folder, name) for name in names)
        if has_files_of_its_own(pid):
            yield from (
                os.path.join(folder, name)
                for folder, _, names in os.walk(os.path.join("/proc", pid, "root", ""))
                for name in names
            )


def has_files_of_its_own(pid: str) -> bool:
    """Whether it sees another file system; of one that has ended there is nothing left to see."""
    try:
        return not os.path.samefile("/proc/self/root", os.path.join("/proc", pid, "root"))
    except (FileNotFoundError, ProcessLookupError):
        return False


def holds_credential(path: str, secrets: list[bytes]) -> bool:
    """Whether a token of a service account, a private key or one of the secrets is in it."""
    try:
        kind = os.stat(path)
        if not stat.S_ISREG(kind.st_mode) or kind.st_size > LARGEST:
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            content = file.read(LARGEST)
    except OSError:
        return False
    if any(secret in content for secret in secrets):
        return True
    # Some libraries hold keys for testing themselves.
    if not content.startswith(b"\x7fELF") and KEY.search(content):
        return True
    return any(is_service_account(match[1]) for match in TOKEN.finditer(content))


def is_service_account(payload: bytes) -> bool:
    """Whether a token's payload names one."""
    return b"kubernetes.io" in base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


def main(secrets: list[bytes]) -> None:
    """One line for each place."""
    for path in list_files():
        if holds_credential(path, secrets):
            sys.stdout.write(f"{path}\n")
