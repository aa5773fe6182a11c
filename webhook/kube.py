"""Owns how the control plane reaches a Kubernetes API: whose credentials, one call, one watch.

The only importer of `kubernetes`, of which it takes the configuration and the connections. Must not
know what is asked for: objects go in and come out as they are, so that no field of a newer API
server is lost. Must not put a credential, or a text that may hold one, into an error.
"""

import copy
import http.client
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import urllib3
import yaml
from kubernetes import client, config

from webhook.answers import (
    KubeError as KubeError,
    RawDocument as RawDocument,
    parse_document,
    read_bounded,
    read_events,
    read_failure,
)

# A KubeError's reason: nothing was sent.
NOT_LEADING: Final = "NotLeading"
MERGE_PATCH: Final = "application/merge-patch+json"
_NO_QUERY: Final[Mapping[str, str]] = {}
_JSON: Final = "application/json"
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
# Each watch holds one; what is above is opened anew for every call.
_CONNECTIONS: Final = 64
# A peer that has vanished is found within a minute: a watch sends nothing that could fail.
_SOCKET: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (
            ("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", 60_000),
        )
        if hasattr(socket, name)  # not every system has all of them
    ),
)  # fmt: skip
# Of a configuration, what says where a server is and how it proves itself.
_WHERE: Final = (
    "host", "ssl_ca_cert", "ca_cert_data", "verify_ssl", "tls_server_name", "proxy",
)  # fmt: skip
# Of a member. The largest that is asked for is one object, and those have 1.5 MB at most.
_FOREIGN_BYTES: Final = 4 << 20
_CONNECT_S: Final = 10.0
# An API server that ends a watch in time needs a moment more to say so.
_GRACE_S: Final = 10.0
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._:%-]+)+/?")
_WARNING: Final = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_OPENED_BY_POD: Final = "KUBERNETES_SERVICE_HOST"
# What reading a kubeconfig of any shape raises. Their texts quote the entry in question, and an
# entry may hold a token.
_UNUSABLE: Final = (
    config.ConfigException, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError,
)  # fmt: skip


class Answer(NamedTuple):
    """What was answered, the warnings that came with it, and how many bytes it was."""

    status: int
    document: RawDocument
    warnings: tuple[str, ...]
    length: int


class Kube:
    """One API server and one identity. Calls may come from several threads."""

    def __init__(self, configuration: client.Configuration, context: str) -> None:
        self.server: Final[str] = configuration.host
        self.context: Final = context  # empty in a pod
        configuration.connection_pool_maxsize = _CONNECTIONS
        configuration.socket_options = list(_SOCKET)
        self._configuration = configuration
        self._client: Any = client.ApiClient(configuration)
        self._may_write: Callable[[], bool] | None = None
        self._is_foreign = False
        self._until: float | None = None
        self._allowances: tuple[list[int], ...] = ()  # what is left for answers, by each bound

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def call_directly(self, pool: urllib3.PoolManager) -> None:
        """Through no proxy, and with a trust of its own: a server that is somebody else's."""
        self._client.rest_client.pool_manager = pool
        self._is_foreign = True

    def showing_only(self, token: str) -> "Kube":
        """The same server, which sees this token and nothing else of ours. Close it."""
        known = self._configuration
        configuration = client.Configuration()
        for name in _WHERE:
            setattr(configuration, name, getattr(known, name))
        configuration.api_key["BearerToken"] = token
        configuration.api_key_prefix["BearerToken"] = "Bearer"
        return Kube(configuration, self.context)

    @property
    def is_foreign(self) -> bool:
        """Whether it is somebody else's, who may answer anything."""
        return self._is_foreign

    def for_at_most(self, seconds: float, answers_bytes: int) -> "Kube":
        """The same; what all calls may take together, each no more than what is left of it.

        What bounds it already goes on to do so.
        """
        restricted, until = copy.copy(self), time.monotonic() + seconds
        restricted._until = until if self._until is None else min(until, self._until)
        restricted._allowances = (*self._allowances, [answers_bytes])
        return restricted

    def writing_while(self, allowed: Callable[[], bool]) -> "Kube":
        """The same server, identity and connections; only reads once that is not allowed."""
        restricted = copy.copy(self)
        restricted._may_write = allowed
        return restricted

    def apply(self, path: str, body: RawDocument, manager: str, *, force: bool = True) -> Answer:
        """Server-side apply: the fields of `body` are the manager's, others' stay as they are.

        An object that is not there is created, for which the server asks for rights by its name.
        """
        query = {"fieldManager": manager} | ({"force": "true"} if force else {})
        return self.request("PATCH", path, body, query=query, content_type=_APPLY, timeout_s=15.0)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] = _NO_QUERY,
        content_type: str = _JSON,
        accept: str = _JSON,
        timeout_s: float = 30.0,
    ) -> Answer:
        """One call at the API's own path; KubeError for every answer that is none of success."""
        headers = {"Accept": accept} | ({} if body is None else {"Content-Type": content_type})
        if self._until is not None:
            timeout_s = min(timeout_s, self._until - time.monotonic())
            if timeout_s <= 0:
                raise KubeError(0, "Timeout", f"{self.server}: it took too long in all")
        response = self._send(method, path, query, headers, body, timeout_s)
        try:
            content = self._read(response, timeout_s)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unanswered(error) from None
        document = parse_document(content)
        if response.status >= 300:
            raise read_failure(response.status, document, content)
        if document is None:
            raise KubeError(response.status, "", f"{self.server}: the answer is no JSON object")
        told = ", ".join(response.headers.getlist("Warning"))
        warnings = tuple(_ESCAPED.sub(r"\1", text) for text in _WARNING.findall(told))
        return Answer(response.status, document, warnings, len(content))

    def watch(
        self, path: str, *, query: Mapping[str, str] = _NO_QUERY, timeout_s: float = 300.0
    ) -> Iterator[RawDocument]:
        """The events of a list's path, `{"type": …, "object": …}`, until the server ends the watch.

        An event of type ERROR is raised, and so is a connection that breaks or falls silent.
        """
        asked = {**query, "watch": "1", "timeoutSeconds": str(max(1, round(timeout_s)))}
        response = self._send("GET", path, asked, {"Accept": _JSON}, None, timeout_s + _GRACE_S)
        try:
            if response.status != 200:
                content = response.data
                raise read_failure(response.status, parse_document(content), content)
            yield from read_events(response, self.server)
        except urllib3.exceptions.HTTPError as error:
            raise self._unanswered(error) from None
        finally:
            response.close()

    def _read(self, response: urllib3.BaseHTTPResponse, timeout_s: float) -> bytes:
        """All of it; bounded where who answers, or wrote what is asked for, may mean harm."""
        bounds = [left for (left,) in self._allowances]
        bounds += [_FOREIGN_BYTES] if self._is_foreign else []
        if not bounds:
            return response.data
        content = read_bounded(response, min(bounds), time.monotonic() + timeout_s, self.server)
        for allowance in self._allowances:
            allowance[0] -= len(content)
        return content

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: dict[str, str],
        body: Any,
        timeout_s: float,
    ) -> urllib3.BaseHTTPResponse:
        if _PATH.fullmatch(path) is None or ".." in path.split("/"):
            # A name with ? or / in it would turn one call into another.
            raise KubeError(0, "", f"{path!r} is not the path of an API")
        if self._may_write is not None and method != "GET" and not self._may_write():
            raise KubeError(0, NOT_LEADING, f"{self.server}: another replica leads")
        sent = {"User-Agent": "mca", **headers, **self._show_credential()}
        pool: urllib3.PoolManager = self._client.rest_client.pool_manager
        try:
            return pool.request(
                method,
                f"{self.server.rstrip('/')}{path}" + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=sent,
                timeout=urllib3.Timeout(connect=min(_CONNECT_S, timeout_s), read=timeout_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unanswered(error) from None

    def _show_credential(self) -> dict[str, str]:
        """Asked for each time: the hook behind it reads a pod's token again, or runs a plugin."""
        try:
            bearer = self._configuration.get_api_key_with_prefix("BearerToken", "authorization")
        except OSError as error:
            told = f"{error.filename or 'the credential'}: {error.strerror}"
            raise KubeError(0, "", f"{self.server}: {told}") from None
        except _UNUSABLE as error:
            told = f"the credential cannot be read ({type(error).__name__})"
            raise KubeError(0, "", f"{self.server}: {told}") from None
        return {"Authorization": bearer} if bearer else {}  # it has its scheme with it

    def _unanswered(self, error: Exception) -> KubeError:
        # What urllib3 says around it names pools and objects; below it is the system's own word.
        cause: BaseException = error
        while not isinstance(cause, OSError) and cause.__context__ is not None:
            cause = cause.__context__
        if isinstance(cause, ssl.SSLCertVerificationError):
            told = f"certificate verify failed: {cause.verify_message}"
        elif isinstance(cause, TimeoutError):
            told = "timed out"
        elif isinstance(cause, http.client.BadStatusLine | http.client.UnknownProtocol):
            told = "it does not speak HTTP"  # what it said instead is not repeated
        elif isinstance(cause, ValueError):  # where the length of a chunk should be
            told = "the connection broke off"
        else:
            told = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        return KubeError(0, "", f"{self.server}: {told}")


def open_cluster() -> Kube:
    """In a pod by its service account, elsewhere as `open_kubeconfig`."""
    if os.environ.get(_OPENED_BY_POD):
        return _open_pod()
    return open_kubeconfig()


def open_kubeconfig(context: str | None = None, path: str | None = None) -> Kube:
    """By `path`, KUBECONFIG or ~/.kube/config; a pod without any of them has its account."""
    named = path or os.environ.get("KUBECONFIG") or os.path.join("~", ".kube", "config")
    files = [os.path.expanduser(part) for part in named.split(os.pathsep) if part]
    if not any(map(os.path.exists, files)):
        if path is None and context is None and os.environ.get(_OPENED_BY_POD):
            return _open_pod()
        raise KubeError(
            0, "", f"no kubeconfig: looked for {', '.join(files)}; name one by KUBECONFIG"
        )
    configuration = client.Configuration()
    try:
        chosen = _choose_context(files, context)
        config.load_kube_config(  # type: ignore[no-untyped-call]
            named, context=chosen, client_configuration=configuration, persist_config=False
        )
    except _UNUSABLE as error:
        told = f"{named}: is no usable kubeconfig ({type(error).__name__}); try it with kubectl"
        raise KubeError(0, "", told) from None
    except OSError as error:
        raise KubeError(0, "", f"{error.filename or named}: {error.strerror}") from None
    return Kube(configuration, chosen)


def open_server(
    server: str,
    ca_pem: str,
    *,
    tls_server_name: str = "",
    token: str = "",
    certificate: tuple[str, str] | None = None,
) -> Kube:
    """A server that is called directly, by PEM texts: its CA; a token, or a certificate and key."""
    configuration = client.Configuration()
    configuration.host = server
    if token:
        configuration.api_key["BearerToken"] = token
        configuration.api_key_prefix["BearerToken"] = "Bearer"
    try:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.load_verify_locations(cadata=ca_pem)
        if certificate is not None:
            _load_certificate(trust, certificate)
    except (ssl.SSLError, ValueError):
        # What OpenSSL says of a key may quote it.
        told = f"{server}: its CA, or the certificate and its key, are no PEM that fits"
        raise KubeError(0, "", told) from None
    kube = Kube(configuration, "")
    name = tls_server_name or None
    kube.call_directly(urllib3.PoolManager(ssl_context=trust, maxsize=4, server_hostname=name))
    return kube


def _load_certificate(trust: ssl.SSLContext, pair: tuple[str, str]) -> None:
    """OpenSSL takes these from files only: from one without a name, which no disk has."""
    file = os.memfd_create("certificate")
    try:
        os.write(file, "\n".join(pair).encode())
        # Without a password OpenSSL would ask for one at a terminal.
        trust.load_cert_chain(f"/proc/self/fd/{file}", password="")
    finally:
        os.close(file)


def _choose_context(files: list[str], wanted: str | None) -> str:
    """The one that is wanted, else the current one of the first file that names one."""
    current, known = "", set()
    for path in filter(os.path.exists, files):
        with open(path, "rb") as file:
            raw = yaml.safe_load(file) or {}
        current = current or raw.get("current-context") or ""
        known |= {entry["name"] for entry in raw.get("contexts") or ()}
    chosen = wanted or current
    if not chosen:
        raise KubeError(0, "", f"{os.pathsep.join(files)}: there is no current context")
    if chosen not in known:
        raise KubeError(0, "", f"{os.pathsep.join(files)}: there is no context {chosen!r}")
    return chosen


def _open_pod() -> Kube:
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        raise KubeError(0, "", f"the pod's service account: {error}") from None
    return Kube(configuration, "")
