"""The pure core: what a request is, and whether it may pass.

No I/O, no clock, no logging; an allow-listed few modules of the standard library and nothing else.
Every front door - the sidecar's traffic and, later, the agents' tools - asks the same functions:

    parse_target → request_info → decide → Permit | Denial | Answer | NeedBody | NeedScope

Import from the modules themselves; this package re-exports nothing, so that start-up pays only for
what it uses.
"""
