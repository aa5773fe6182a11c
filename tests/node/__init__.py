"""A real node made of real parts, in namespaces of its own: `python -m tests.node up`."""
