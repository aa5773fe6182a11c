"""The scripts of tools/ that people run."""
