"""What an installation may say, and that none of it changes the meaning of a guard."""

import re
from typing import Any

import pytest

from webhook.guards.settings import GuardSettings, write_string, write_strings

IMAGE = f"registry.example.com:5000/a/mca@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image": "mca:1"}, "image: 'mca:1' is not an image with its digest; write "),
        ({"image": f"{IMAGE}\n"}, "image: "),
        ({"image": f"a'b@sha256:{'a' * 64}"}, "image: "),
        ({"previous_images": (IMAGE, "mca:2")}, "previous_images: 'mca:2' is not an image"),
        ({"uid": 0}, "uid: 0 is not between 1 and 2147483647"),
        ({"uid": 2**31}, "uid: "),
        ({"admin_groups": ()}, "name a user or a group"),
        ({"admin_groups": ("system:authenticated",)}, "holds tenants too"),
        ({"admin_groups": ("system:serviceaccounts",)}, "holds tenants too"),
        ({"admin_groups": ("system:serviceaccounts:team-a",)}, "holds tenants too"),
        ({"admin_groups": ("system:nodes",)}, "holds tenants too"),
        ({"admin_users": ("system:anonymous",)}, "admin_users: system:anonymous is anybody"),
        ({"controllers": ("system:anonymous",)}, "controllers: system:anonymous is anybody"),
        ({"audiences": ("mca.io/broker",)}, "audiences: 'mca.io/broker' is MCA's own"),
        ({"audiences": ("https://kubernetes.default.svc",)}, "is the API server's own"),
        ({"audiences": ("https://kubernetes.default.svc.cluster.local",)}, "server's own"),
        ({"admin_users": ("",)}, "admin_users: '' is not a short printable text"),
        ({"controllers": ("a\nb",)}, "controllers: 'a\\nb'"),
        ({"audiences": ("a" * 1025,)}, "audiences: "),
    ],
)
def test_what_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        GuardSettings(**{"image": IMAGE} | changes)


def test_all_problems_at_once() -> None:
    with pytest.raises(ValueError, match=r"image: .*; uid: .*; audiences: "):
        GuardSettings(image="", uid=-1, audiences=("\0",))


def test_no_text_leaves_its_literal() -> None:
    assert write_string('a"] || true || x in ["b\'\\') == '"a\\"] || true || x in [\\"b\'\\\\"'
    assert write_strings(("a", "ü")) == '["a", "ü"]'
