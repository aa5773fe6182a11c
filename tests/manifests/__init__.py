"""The guards of enforced namespaces, on a real API server."""
