"""What every page stands in: one container, its slides, a link to just this view, the way on, and a place where errors become sentences."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from genlab.dashboard import address, present
from genlab.dashboard.components.link import copy_link
from genlab.dashboard.components.save import begin_page, save_pictures
from genlab.dashboard.navigation import PAGES, next_of
from genlab.dashboard.plain import plain
from genlab.dashboard.visitor import remember_visitor
from genlab.errors import GenlabError

WIDTH = 1120
FAULT = "**This is a fault of genlab**, and the server's log says more:"

_LOG = logging.getLogger("genlab.dashboard")


@contextmanager
def frame(title: str, words: str = "", *, width: int = WIDTH) -> Iterator[None]:
    """A page: its heading, what it is about, and what the block shows.

    Args:
        title: The heading.
        words: Stand below it, in Markdown.
        width: In CSS pixels, at most.
    """
    page = address.here()
    begin_page()
    # The name lets theme.css give a page the width of a large screen.
    with st.container(width=width, key="page" if width == WIDTH else "narrow-page"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.title(title, anchor=False, width="content")
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                copy_link(PAGES[page].slides_in_words if page else "", presenting=present.is_on(), on_present=present.begin)
                corner = st.container(width="content")
        if words:
            st.markdown(words)
        with caught():
            yield
        if page and (following := next_of(page)):
            st.page_link(PAGES[following].file, label=f":primary[Next: {PAGES[following].title} →]")
        with corner:
            save_pictures()
        remember_visitor()


@contextmanager
def caught() -> Iterator[None]:
    """Whatever goes wrong in the block becomes one sentence; what stands after the block is shown all the same."""
    try:
        yield
    except GenlabError as error:
        say(st.error, "{}", error)
    except Exception as error:  # a bug of ours: the visitor gets a sentence too, and the log the rest
        _LOG.exception("a page stumbled")
        say(st.error, FAULT + " {}: {}", type(error).__name__, error)


def say(show: Callable[..., Any], words: str, *parts: object, **options: Any) -> None:
    """Show words of ours with parts from outside: names of data and runs, messages of errors. Markdown in a part is text.

    Args:
        show: For example ``st.error``.
        words: In Markdown, with ``{}`` for each part.
        parts: Shown as they stand.
        options: Handed on to `show`.
    """
    show(words.format(*(plain(str(part)) for part in parts)), **options)
