"""What the site needs beyond the documents: three documents at the top of the sources are pages too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
TOP = {"README.md": "index.md", "ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}
"""Documents at the top of the sources, and the pages that they become."""


def on_files(files: Files, config: Any) -> Files:
    """Add the documents at the top."""
    for document, page in TOP.items():
        files.append(File.generated(config, page, content=(ROOT / document).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links between documents as the site has them, whichever folder they start from; what is no page becomes plain text."""
    top = page.file.src_uri in TOP.values()

    def link(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        name = target.removeprefix("docs/") if top else target.removeprefix("../") if target.startswith("../") else None
        if name is None or "://" in target or target.startswith("#"):
            return match[0]
        document, hash_, part = name.partition("#")
        if document in TOP:
            return f"[{words}]({TOP[document]}{hash_}{part})"
        return f"[{words}]({name})" if (ROOT / "docs" / document).exists() and target != name else words

    return re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", link, markdown).replace("](docs/", "](")
