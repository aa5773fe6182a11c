"""Owns the sidecar's identity: found on disk or minted by a child, and what clients get of it.

Must not import `cryptography`, nor anything heavy: `begin` runs before ssl and asyncio are loaded,
so that the child's imports and ours go side by side.
"""

import json
import os
import time
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from sidecar.config import Settings
from sidecar.digest import sha256
from sidecar.log import log_event
from sidecar.private_files import (
    open_folder,
    open_subfolder,
    read_file,
    remove_drafts,
    write_file,
)
from sidecar.secret import Secret
from sidecar.tokens import container_token

CA_FILE = "ca.crt"
CERT_FILE = "tls.crt"
KEY_FILE = "tls.key"
SEED_FILE = "seed"
MANIFEST_FILE = "identity.json"

_VERSION = 1
_MAX_FILE_BYTES = 65536
_FILES = (CA_FILE, CERT_FILE, KEY_FILE, SEED_FILE)


class IdentityError(Exception):
    """No identity can be had; the text names the variable to look at."""


class Identity(NamedTuple):
    """What the listener serves with, and what clients trust."""

    cert_path: str
    key_path: str
    ca_pem: bytes
    seed: Secret


class Minting(NamedTuple):
    """A child at work: its process, and the pipe that carries its complaint."""

    pid: int
    complaint: int


def begin(settings: Settings) -> Minting | None:
    """Start minting if no valid identity is there. Call it before anything heavy is imported."""
    folder = _open(settings)
    try:
        found = _load(folder, time.time())
        if not isinstance(found, str):
            return None
        if found != _ABSENT:
            log_event("warning", "identity_replaced", reason=found)
        return _start_child(settings, folder)
    except OSError as error:
        raise IdentityError(f"cannot start the minting process: {error.strerror}") from None
    finally:
        os.close(folder)


def finish(settings: Settings, minting: Minting | None) -> Identity:
    """The identity, once the child is done."""
    if minting is not None:
        _await_child(minting)
    folder = _open(settings)
    try:
        files = _load(folder, time.time())
    finally:
        os.close(folder)
    if isinstance(files, str):
        raise IdentityError(f"MCA_IDENTITY_DIR: no identity in {settings.identity_dir}: {files}")
    return Identity(
        cert_path=os.path.join(settings.identity_dir, CERT_FILE),
        key_path=os.path.join(settings.identity_dir, KEY_FILE),
        ca_pem=files[CA_FILE],
        seed=Secret(files[SEED_FILE]),
    )


def write_clients(settings: Settings, identity: Identity, namespace: str) -> None:
    """Give each container its `ca.crt`, `token` and `namespace`; what is right stays untouched."""
    try:
        parent = open_folder(settings.clients_dir, 0o755)
        try:
            for container in settings.containers:
                token = container_token(identity.seed, container)
                files = {
                    "ca.crt": identity.ca_pem,
                    "token": token.reveal(),
                    "namespace": namespace.encode(),
                }
                _write_client(parent, container, files)
        finally:
            os.close(parent)
    except OSError as error:
        raise IdentityError(_blame("MCA_CLIENTS_DIR", settings.clients_dir, error)) from None


def render_manifest(files: Mapping[str, bytes], not_before: int, not_after: int) -> bytes:
    """What ties the files of one minting together."""
    digests = {name: sha256(content).hexdigest() for name, content in files.items()}
    manifest = {
        "version": _VERSION,
        "notBefore": not_before,
        "notAfter": not_after,
        "sha256": digests,
    }
    return json.dumps(manifest).encode() + b"\n"


_ABSENT = "none is there"


def _load(folder: int, now: float) -> dict[str, bytes] | str:
    """The files of a valid identity, or what is wrong with it."""
    raw = read_file(folder, MANIFEST_FILE, 0o600, _MAX_FILE_BYTES)
    files = {name: read_file(folder, name, 0o600, _MAX_FILE_BYTES) for name in _FILES}
    if not {MANIFEST_FILE, *_FILES} & set(os.listdir(folder)):
        return _ABSENT
    if raw is None:
        return f"{MANIFEST_FILE} is missing or not ours"
    contents: dict[str, bytes] = {}
    for name, content in files.items():
        if content is None:
            return f"{name} is missing or not ours"
        contents[name] = content
    try:
        manifest = json.loads(raw)
        not_before, not_after = manifest["notBefore"], manifest["notAfter"]
        expected = render_manifest(contents, not_before, not_after)
        if raw != expected:
            return f"the files do not fit {MANIFEST_FILE}"
        if not not_before <= now <= not_after:
            return "it is expired" if now > not_after else "it is not valid yet, by this clock"
    except (ValueError, TypeError, KeyError):
        return f"{MANIFEST_FILE} is damaged"
    return contents


def _start_child(settings: Settings, folder: int) -> Minting:
    complaint, tell = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(complaint)
        raise
    else:
        if pid == 0:
            os.close(complaint)
            _run_child(settings, folder, tell)
    finally:
        os.close(tell)
    return Minting(pid, complaint)


def _run_child(settings: Settings, folder: int, tell: int) -> NoReturn:
    """The child's whole life: it never returns, so that none of the parent's code runs twice."""
    try:
        import resource

        # The CA's key is in this memory only: no core file of it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from sidecar.mint import mint

        mint(folder)
    except OSError as error:
        os.write(tell, _blame("MCA_IDENTITY_DIR", settings.identity_dir, error).encode())
    except BaseException as error:  # noqa: BLE001 - every end of the child is told to the parent
        os.write(tell, f"cannot mint an identity: {type(error).__name__}: {error}".encode())
    else:
        os._exit(0)
    os._exit(1)


def _await_child(minting: Minting) -> None:
    with open(minting.complaint, "rb") as pipe:
        complaint = pipe.read()
    _, status = os.waitpid(minting.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if complaint or code:
        text = complaint.decode("utf-8", "replace")
        raise IdentityError(text or f"the minting process ended with {code}")


def _open(settings: Settings) -> int:
    try:
        return open_folder(settings.identity_dir, 0o700)
    except OSError as error:
        raise IdentityError(_blame("MCA_IDENTITY_DIR", settings.identity_dir, error)) from None


def _write_client(parent: int, container: str, files: Mapping[str, bytes]) -> None:
    folder = open_subfolder(parent, container, 0o755)
    try:
        remove_drafts(folder)
        for name, content in files.items():
            if read_file(folder, name, 0o444, len(content)) != content:
                write_file(folder, name, content, 0o444)
    finally:
        os.close(folder)


def _blame(variable: str, path: str, error: OSError) -> str:
    reason = error.strerror or str(error)
    return (
        f"{variable}: cannot write to {path}: {reason};"
        f" name a folder that uid {os.geteuid()} may write to, with room for a few files"
    )
