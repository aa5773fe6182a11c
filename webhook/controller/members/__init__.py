"""Owns what is known of members: whether each may be used, answers, and is guarded.

Must not hand a credential to anybody: the broker does.
"""
