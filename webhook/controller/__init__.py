"""Owns the controller: custom resources become snapshots, tenants and credentials.

Must not import the other front doors, admission and agents.
"""
