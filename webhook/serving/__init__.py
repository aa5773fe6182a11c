"""What every server of the control plane has around its pages: settings, room, turns, faults.

Must not know what is served.
"""
