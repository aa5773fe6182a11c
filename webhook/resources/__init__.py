"""Owns MCA's custom resources: their definitions, how they are read, whose a namespace is. Pure.

No I/O, no clock. Must not know what is made of them: the controller, admission and the commands do.
"""
