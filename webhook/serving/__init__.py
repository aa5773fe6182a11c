"""What every server of the control plane has around its pages: connections, turns, faults.

Must not know what is served.
"""
