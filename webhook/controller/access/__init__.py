"""How members are called: where they are, and by which credential of a Secret.

Must not know who calls, nor what for: the broker, the looks at members and the tenants' work do.
"""
