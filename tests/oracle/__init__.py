"""The API server as the oracle: its code, built from pinned modules, and its audit log."""
