"""Owns compiling: Tenant, Routes and Clusters become the snapshot of one namespace. Pure.

No I/O, no clock. Must not write a snapshot, nor choose which namespaces get one.
"""
