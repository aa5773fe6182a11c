"""Unmodified clients, direct and through the sidecar: what they are told must be the same."""
