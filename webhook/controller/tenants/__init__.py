"""Owns what a Tenant states about namespaces: what stands in them, who may work there, the end.

Must not compile policies, nor decide whose a namespace is.
"""
