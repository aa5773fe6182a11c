"""Owns how the control plane keeps up with objects of an API server: list, watch, remember.

Must not know what the objects are for.
"""
