"""Helm without a cluster, which every test here may ask for."""

from pathlib import Path

import pytest

from tests.chart.scene import Helm


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """In a folder of its own."""
    return Helm(tmp_path)
