"""Measurements of the sidecar beside real proxies, in one run: `make bench`."""
