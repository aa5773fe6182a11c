"""`python -m webhook.install` writes manifests/ and chart/ below the folder it is run in.

Owns the writing only. Must not choose what stands in a file.
"""

import sys
from pathlib import Path

from webhook.install.files import render_files


def main(root: Path) -> int:
    """Write every file that is made; the exit code."""
    for name, text in render_files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        sys.stdout.write(f"wrote {name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path.cwd()))
