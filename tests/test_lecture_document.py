"""docs/lecture.md: every slide has lines of Python that run and pages that show it, the same pages as the sidebar's list says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from genlab.dashboard.navigation import PAGES

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "lecture.md"
_HEAD = re.compile(r"^## Slides? (\d+)(?:–(\d+))?: ", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


@dataclass(frozen=True)
class Part:
    """What the document says of some slides."""

    first: int
    last: int
    program: str
    links: tuple[tuple[str, str], ...]

    @property
    def pages(self) -> list[str]:
        return [Path(file).stem for _, file in self.links if "/dashboard/pages/" in file]

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def parts() -> list[Part]:
    text = DOCUMENT.read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found = []
    for head, end in zip(heads, ends, strict=True):
        body = text[head.end() : end]
        (program,) = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
        found.append(Part(int(head[1]), int(head[2] or head[1]), program, tuple(_LINK.findall(body))))
    return found


PARTS = parts()


def test_the_list_goes_through_all_slides_once() -> None:
    assert [number for part in PARTS for number in range(part.first, part.last + 1)] == list(range(3, 66))


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_what_it_says_to_type_runs(part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(part.program, f"{DOCUMENT.name}, slides {part}", "exec"), {})


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_its_pages_show_those_slides_and_its_links_lead_somewhere(part: Part) -> None:
    """That each of these pages opens is what tests/test_pages.py holds all pages to."""
    assert all((DOCUMENT.parent / file).is_file() for _, file in part.links)
    named = {page: words for (words, file), page in ((link, Path(link[1]).stem) for link in part.links if "/pages/" in link[1])}
    assert named
    for page, words in named.items():
        entry = PAGES[page]
        assert words == entry.title
        assert any(each.first <= part.last and part.first <= each.last for each in entry.slides), page


def test_every_page_of_the_lecture_is_in_the_list() -> None:
    assert {page for part in PARTS for page in part.pages} == {name for name, entry in PAGES.items() if entry.slides}
