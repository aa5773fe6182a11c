"""What the ports of a sidecar give to who has no token, in an enforced namespace of a real node.

Attack 64: a fetcher in the application, another pod, and whoever may forward ports.
"""

import re
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.controlplane import find_binary
from tests.node.node import Node
from tests.node.pods import write_pod
from tests.node.tenants import Tenant, open_enforced

SPACE = "enforced-ports"
SECRETS = f"api/v1/namespaces/{SPACE}/secrets"
FORWARDED = re.compile(r"127\.0\.0\.1:(\d+) -> (\d+)")
FETCH = """\
import ssl, sys, urllib.error, urllib.request
trust = ssl._create_unverified_context()
for url in sys.argv[1:]:
    try:
        answer = urllib.request.urlopen(url, context=trust, timeout=5)
        print(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        print(error.code, error.read())
    except OSError as error:
        print(0, error)
"""


@pytest.fixture(scope="module")
def tenant(node: Node, installed: object) -> Tenant:
    tenant = open_enforced(node, SPACE)
    assert tenant.create(write_pod("other", serviceAccountName="app")).returncode == 0
    node.wait_for_pod(SPACE, "other")
    return tenant


def fetch(tenant: Tenant, pod: str, *urls: str) -> list[tuple[int, str]]:
    """The code and the text of each answer, by the pod's application; 0: no connection."""
    run = ("exec", pod, "-c", "app", "--", "python3", "-c", FETCH)
    lines = tenant.kubectl(*run, *urls).stdout.splitlines()
    return [(int(code), text) for code, _, text in (line.partition(" ") for line in lines)]


def list_codes(answers: Sequence[tuple[int, str]]) -> list[int]:
    """Where nothing in them is a token."""
    assert "eyJ" not in str(answers)
    return [code for code, _ in answers]


def test_a_fetcher_in_the_application_has_no_token(tenant: Tenant) -> None:
    urls = (f"https://127.0.0.1:6443/{SECRETS}", f"https://[::1]:6443/{SECRETS}")
    assert list_codes(fetch(tenant, "app", *urls, "http://127.0.0.1:6444/readyz")) == [
        401,
        401,
        200,
    ]


def test_another_pod_reaches_nothing_but_the_health(node: Node, tenant: Tenant) -> None:
    address = node.wait_for_pod(SPACE, "app")["status"]["podIP"]
    admin = f"http://{address}:6444"
    urls = (f"https://{address}:6443/{SECRETS}", f"{admin}/readyz", f"{admin}/metrics")
    assert list_codes(fetch(tenant, "other", *urls)) == [0, 200, 403]


@contextmanager
def forwarding(tenant: Tenant, *ports: int) -> Iterator[dict[int, int]]:
    """The local port of each of the pod's, as long as the block lasts."""
    kubectl = [str(find_binary("kubectl")), f"--kubeconfig={tenant.node.plane.admin_kubeconfig()}"]
    with subprocess.Popen(
        [*kubectl, f"--as={tenant.user}", "-n", SPACE, "port-forward", "--address=127.0.0.1",
         "pod/app", *(f":{port}" for port in ports)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={"HOME": str(tenant.node.folder)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            told = [FORWARDED.search(process.stdout.readline()) for _ in ports]
            assert all(told), told
            yield {int(found[2]): int(found[1]) for found in told if found}
        finally:
            process.kill()


def ask(url: str) -> int:
    """The code of one answer."""
    trust = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(url, context=trust, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_59_a_forwarded_port_reaches_loopback_where_the_token_guards(tenant: Tenant) -> None:
    with forwarding(tenant, 6443, 6444) as ports:
        assert ask(f"https://127.0.0.1:{ports[6443]}/{SECRETS}") in (401, 421)
        assert ask(f"http://127.0.0.1:{ports[6444]}/readyz") == 200
