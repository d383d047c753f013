"""Text from outside, shown as it stands: Streamlit's labels and messages read Markdown, and a visitor's text must not be read so."""

from __future__ import annotations

import re

_WORD_JOINER = "\u2060"


def plain(text: str) -> str:
    """Markdown that shows exactly `text`, on one line: no emphasis, links, formulas, colours, icons or HTML come of it.

    Escapes no more than it must: a label is also what a screen reader says, and it says backslashes.
    """
    escaped = re.sub(r"([\\`*_\[\]<>~$&|])", r"\\\1", " ".join(text.split()))
    # Headings, lists and rules begin where a line begins.
    escaped = re.sub(r"^(\d*)([#+\-=.)])", r"\1\\\2", escaped)
    # A backslash does not keep Streamlit from reading `:red[...]` and `:material/...:`; something invisible after the colon does.
    escaped = re.sub(r":(?=\S)", f":{_WORD_JOINER}", escaped)
    # Nor does it keep a bare `www.` or `name@host` from becoming a link.
    return re.sub(r"(?i)(?<=\bwww)\.|@", lambda found: f"{_WORD_JOINER}{found[0]}", escaped)
