"""Real control planes for tests and demo."""
