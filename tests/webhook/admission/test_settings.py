"""The image is named by its digest."""

import pytest

from tests.webhook.admission.scene import IMAGE
from webhook.admission.settings import parse_image


@pytest.mark.parametrize(
    "text", [IMAGE, "mca@" + IMAGE.split("@")[1], "r:5000/a/b:v1@" + IMAGE.split("@")[1]]
)
def test_images(text: str) -> None:
    assert parse_image(text) == text


@pytest.mark.parametrize("text", ["", "mca", "mca:v1", "mca@sha256:abc", IMAGE + "0", " " + IMAGE])
def test_no_images(text: str) -> None:
    with pytest.raises(ValueError, match="is not an image with its digest"):
        parse_image(text)
