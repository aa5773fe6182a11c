"""The controller as a process, on real control planes: what its parts make of each other's work."""
