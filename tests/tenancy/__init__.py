"""Two tenants in one cluster: what a caller of the one does never reaches the other's objects."""
