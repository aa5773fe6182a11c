"""Names that are kept, and their near misses."""

import pytest

from webhook.admission.names import is_ours


@pytest.mark.parametrize("name", ["mca", "mca-x", "mca-"])
def test_kept(name: str) -> None:
    assert is_ours(name)


@pytest.mark.parametrize("name", ["", "mcafee", "my-mca", "Mca"])
def test_anybodys(name: str) -> None:
    assert not is_ours(name)
