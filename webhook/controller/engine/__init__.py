"""Owns how the controller runs: its parts and their queues, the Lease, its port, its end.

Must not know what a part does.
"""
