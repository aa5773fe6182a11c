"""One module for each figure: each measures, prints its progress, returns its Sections."""
