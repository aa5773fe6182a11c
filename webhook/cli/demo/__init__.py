"""Owns `mca demo`: the main job, done on a real control plane and told as a story.

Must not pretend: what it shows is what happened, and a step that went otherwise fails the demo.
"""


def main(arguments: list[str]) -> int:
    """Not yet."""
    return 64 + len(arguments)
