"""The webhook's own certificates: a CA in a Secret, which each replica signs its own with.

Must not be asked by a review: certificates are made and renewed beside them.
"""
