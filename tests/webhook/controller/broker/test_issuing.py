"""What is handed out: by whose Secret, in which form, for how long.

Servers of ours stand for home and member.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidecar.secret import Secret
from tests.controlplane.certificates import Authority
from tests.scripted_server import Connection, ScriptedServer
from tests.webhook.controller.broker.examples import (
    IDENTITY,
    TENANT_UID,
    encode,
    make_claims,
    make_cluster,
    make_tenant,
    sign,
)
from webhook.controller.broker.home_objects import HomeObjects
from webhook.controller.broker.issuing import Issued, Issuing
from webhook.controller.broker.member_connections import MemberConnections
from webhook.controller.broker.refusals import RefusedError
from webhook.controller.broker.threads import Threads
from webhook.kube import KubeError, open_server
from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.tenants import Tenant, parse_tenant

STATIC = "static-token"
SECRET_PATH = "/api/v1/namespaces/mca-system/secrets/mca-cluster-eu-1"
ACCOUNT_PATH = "/api/v1/namespaces/team-a/serviceaccounts/app"
TOKEN = sign(make_claims(aud=["https://member"]))


def respond(document: Any, code: int) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (code, len(body), body)


@dataclass
class Case:
    """Home and member, which answer by path, and what is issued by them."""

    home: ScriptedServer
    member: ScriptedServer
    issuing: Issuing
    objects: dict[str, Any] = field(default_factory=dict)
    life_s: float = 3600
    now: float = field(default_factory=time.time)

    def answer(self, connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            path = request.target.decode()
            found = self.objects.get(path)
            if path.endswith("/token"):
                ends = datetime.fromtimestamp(self.now + self.life_s, UTC).isoformat()
                found = {"status": {"token": TOKEN, "expirationTimestamp": ends}}
            if isinstance(found, int):
                connection.send(respond({"kind": "Status"}, found))
            else:
                connection.send(respond(found or {}, 200 if found else 404))

    def put_secret(self, owner: str = "", version: str = "1", **data: str) -> None:
        annotations = {"mca.io/tenant": owner} if owner else {}
        self.objects[SECRET_PATH] = {
            "metadata": {"annotations": annotations, "resourceVersion": version},
            "type": "mca.io/cluster-credentials",
            "data": {key: encode(text) for key, text in data.items()},
        }

    async def issue(self, form: str = "tokenRequest", **spec: Any) -> Issued:
        reference = {"secretRef": {"name": "mca-cluster-eu-1"}}
        credentials = reference if form == "secretRef" else {"tokenRequest": reference}
        return await self.issuing.issue(IDENTITY, tenant(), self.cluster(credentials, **spec))

    def cluster(self, credentials: dict[str, Any], **spec: Any) -> Cluster:
        document = make_cluster(credentials)
        document["spec"] |= {
            "server": self.member.url,
            "caBundle": encode(self.member.authority.pem),
            **spec,
        }
        found = parse_cluster(document)
        assert isinstance(found, Cluster)
        return found

    async def refuse(self, form: str = "tokenRequest") -> RefusedError:
        with pytest.raises(RefusedError) as refused:
            await self.issue(form)
        assert STATIC not in f"{refused.value.message}{refused.value.told}"
        return refused.value


def tenant() -> Tenant:
    found = parse_tenant(make_tenant())
    assert isinstance(found, Tenant)
    return found


@asynccontextmanager
async def opened() -> AsyncIterator[Case]:
    with ScriptedServer() as home, ScriptedServer() as member:
        kube = open_server(home.url, home.authority.pem, token="controller")
        threads = Threads("home", 2)
        members = MemberConnections()
        objects = HomeObjects(kube, threads)
        case = Case(home, member, Issuing(objects, members, "mca-system", lambda: case.now))
        home.script = member.script = case.answer
        case.objects["/api/v1/namespaces/kube-system"] = {"metadata": {"uid": "home-uid"}}
        notes = {"mca.io/home": "home-uid", "mca.io/tenant": "acme"}
        case.objects[ACCOUNT_PATH] = {
            "metadata": {"name": "app", "namespace": "team-a", "uid": "u", "annotations": notes}
        }
        yield case
        members.keep_only(set())
        threads.close()
        kube.close()


async def test_pods_of_one_account_share_a_token_for_a_moment() -> None:
    async with opened() as case:
        case.put_secret(token="registered")
        first, second = await case.issue(), await case.issue()
        assert first == second
        assert first.parts["token"].reveal() == TOKEN.encode()
        assert first.form == "tokenRequest"
        assert len(case.member.requests) == 2  # one look at the account, one token
        assert {request.values(b"Authorization")[0] for request in case.member.requests} == {
            b"Bearer registered"
        }


async def test_one_that_ends_soon_is_not_kept() -> None:
    async with opened() as case:
        case.put_secret(token="registered")
        case.life_s = 8
        await case.issue()
        case.now += 3  # a quarter of its life is over
        case.life_s = 0.5
        assert (await case.refuse()).rule == "member"
        assert len(case.member.requests) == 4


async def test_an_answer_says_for_which_server() -> None:
    async with opened() as case:
        cluster = case.cluster({"secretRef": {"name": "a"}}, tlsServerName="eu-1.internal")
    issued = Issued("secretRef", {"token": Secret(STATIC.encode())}, 1763762400.0)
    assert issued.render(cluster, 1763758800.2) == {
        "cluster": "eu-1",
        "server": cluster.server,
        "ca": cluster.ca_digest,
        "tlsServerName": "eu-1.internal",
        "token": STATIC,
        "notAfter": "2025-11-21T22:00:00Z",
        "secondsLeft": 3599,
    }
    assert "tlsServerName" not in issued.render(cluster._replace(tls_server_name=""), 0)
    assert STATIC not in repr(issued)


async def test_what_is_stored_counts_for_an_hour_at_most() -> None:
    async with opened() as case:
        case.put_secret("acme", token=STATIC)
        issued = await case.issue("secretRef")
        assert issued.parts["token"].reveal() == STATIC.encode()
        assert issued.expires == pytest.approx(time.time() + 3600, abs=5)
        assert case.member.connections == 0


@pytest.mark.parametrize(("seconds", "left"), [(7200, 3600), (600, 600)])
async def test_a_stored_token_may_say_when_it_ends(seconds: int, left: int) -> None:
    async with opened() as case:
        case.put_secret("acme", token=sign({"exp": int(time.time()) + seconds}))
        assert (await case.issue("secretRef")).expires == pytest.approx(time.time() + left, abs=5)


async def test_one_that_has_ended_is_not_handed_out() -> None:
    async with opened() as case:
        case.put_secret("acme", token=sign({"exp": int(time.time())}))
        assert (await case.refuse("secretRef")).rule == "member"


async def test_a_certificate_and_its_key(tmp_path: Path) -> None:
    pair = Authority(tmp_path, "ca").issue_client("app")
    certificate, key = pair.certificate.read_text(), pair.key.read_text()
    async with opened() as case:
        case.put_secret("acme", **{"tls.crt": certificate, "tls.key": key})
        issued = await case.issue("secretRef")
        parts = {name: part.reveal().decode() for name, part in issued.parts.items()}
        assert parts == {"certificate": certificate, "key": key}
        assert issued.expires == pytest.approx(time.time() + 3600, abs=5)
    async with opened() as case:
        nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        case.put_secret("acme", **{"tls.crt": nonsense, "tls.key": key})
        assert (await case.refuse("secretRef")).rule == "member"


@pytest.mark.parametrize(
    ("form", "owner"), [("secretRef", ""), ("secretRef", "other"), ("tokenRequest", "acme")]
)
async def test_a_secret_is_one_tenants_or_mints_for_all(form: str, owner: str) -> None:
    async with opened() as case:
        case.put_secret(owner, token=STATIC)
        assert (await case.refuse(form)).rule == "secret"
        assert case.member.connections == 0


async def test_a_secret_may_be_of_an_earlier_tenant_of_that_name() -> None:
    async with opened() as case:
        case.put_secret("acme", token=STATIC)
        notes = case.objects[SECRET_PATH]["metadata"]["annotations"]
        notes["mca.io/tenant-uid"] = "earlier"
        assert (await case.refuse("secretRef")).rule == "secret"
    async with opened() as case:
        case.put_secret("acme", token=STATIC)
        case.objects[SECRET_PATH]["metadata"]["annotations"]["mca.io/tenant-uid"] = TENANT_UID
        assert (await case.issue("secretRef")).parts["token"].reveal() == STATIC.encode()


async def test_a_secret_that_is_gone_or_no_use() -> None:
    async with opened() as case:
        assert (await case.refuse()).rule == "secret"
    async with opened() as case:
        case.put_secret(token=f"{STATIC} two words")
        refused = await case.refuse()
        assert (refused.rule, refused.told) == ("member", "token: is no bearer token")
    async with opened() as case:
        case.objects[SECRET_PATH] = 403
        with pytest.raises(KubeError):
            await case.issue()


async def test_a_home_that_has_no_name_mints_nothing() -> None:
    async with opened() as case:
        case.put_secret(token="registered")
        case.objects["/api/v1/namespaces/kube-system"] = {"metadata": {}}
        with pytest.raises(KubeError):
            await case.issue()
        assert case.member.connections == 0
