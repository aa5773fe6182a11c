"""Owns the report whether a namespace's boundary holds: over what is stored there, not what comes.

Must not call an API, nor keep anything back by itself: the guards do that.
"""
