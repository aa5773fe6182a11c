"""Owns the way of manifests through `mca inject` and `mca uninject`: files in, one text out.

Must not know what is done with a pod.
"""

import sys
from collections.abc import Callable, Iterable

from webhook.admission.outcome import RawObject
from webhook.cli.inject.documents import (
    DocumentError,
    join_documents,
    render_document,
    split_documents,
)
from webhook.cli.inject.templates import rewrite_pods


def rewrite_files(paths: Iterable[str], rewrite: Callable[[str, RawObject], RawObject]) -> str:
    """The files' documents, with their pods rewritten; DocumentError says what cannot be read."""
    texts = []
    for path in paths:
        for document in split_documents(_read(path), path):
            try:
                content = rewrite_pods(document.content, rewrite)
            except ValueError as error:
                raise DocumentError(f"{path}: {error}") from None
            same = content is document.content
            texts.append(_end(document.text) if same else render_document(content))
    if texts and texts[0].startswith("\n"):
        texts[0] = texts[0][1:]
    return join_documents(texts)


def _read(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.buffer.read().decode()
        with open(path, "rb") as file:
            return file.read().decode()
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DocumentError(f"{path}: is not UTF-8") from None


def _end(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
