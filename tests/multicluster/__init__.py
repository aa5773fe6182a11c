"""Two real control planes behind one address."""
