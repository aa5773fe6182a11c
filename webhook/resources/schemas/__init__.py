"""Owns the schemas of the custom resources: what the API server takes, defaults and explains.

Every list and text is bounded, so that the API server can bound what the rules cost. Must not read
an object.
"""
