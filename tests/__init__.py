"""Tests: the tree mirrors the source; see CONTRIBUTING.md, "How to run"."""
