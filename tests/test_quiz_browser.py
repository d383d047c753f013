"""The quiz in a real browser, by keyboard alone; links into the labs; what a replaced file may hold is only shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from genlab import quiz_store
from genlab.lecture.quiz import OWN_FILE, load
from tests.browser import PATIENCE_MS, Server, press

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)
QUIZ = load(OWN_FILE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quiz")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server with a file of questions of its own, since a test replaces it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("GENLAB_RUNS_DIR", str(folder / "runs"))
        monkeypatch.setenv("GENLAB_QUIZ", str(folder / "quiz.yaml"))
        with Server(folder / "runs") as server:
            yield server


@pytest.fixture(autouse=True)
def _own_questions(folder: Path) -> None:
    (folder / "quiz.yaml").write_bytes(OWN_FILE.read_bytes())


def opened(browser: Browser, server: Server, *, width: int = 1280) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{server.url}/quiz")
    return page


def asked(page: Page, position: int) -> None:
    """Wait until a question can be answered: its options are there and the keys work."""
    expect(page.get_by_role("heading", name=QUIZ.questions[position].text)).to_be_visible()
    expect(page.get_by_text("Keys a, b, c, d tick, Enter checks.")).to_be_visible()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)


def type_answer(page: Page, letters: str) -> None:
    for letter in letters:
        page.keyboard.press(letter)
        box = page.get_by_role("checkbox", name=re.compile(rf"^{letter}\. "))
        expect(box).to_be_checked()
        expect(box).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter goes on.")).to_be_visible()


def test_the_whole_quiz_by_keyboard(browser: Browser, server: Server) -> None:
    page = opened(browser, server)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    asked(page, 0)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Tick at least one letter")).to_be_visible()
    page.keyboard.press("c")
    page.keyboard.press("c")  # takes the tick away again
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
    for position, question in enumerate(QUIZ.questions):
        asked(page, position)
        type_answer(page, "abd" if position == 2 else "".join(sorted(question.answers)))
        expect(page.get_by_text("Not exactly:" if position == 2 else "Exactly right:")).to_be_visible()
        page.keyboard.press("Enter")
    expect(page.get_by_test_id("stMetricValue").nth(0)).to_have_text("5 of 6")
    expect(page.get_by_test_id("stMetricValue").nth(1)).to_have_text("5.00 of 6")
    expect(page.get_by_text("Enter tries again.")).to_be_visible()
    page.keyboard.press("Enter")
    asked(page, 2)
    type_answer(page, "b")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stMetricValue").nth(0)).to_have_text("6 of 6")
    assert errors == []
    page.context.close()


def test_a_name_is_typed_and_not_taken_for_ticks_and_outlives_a_reload(browser: Browser, server: Server) -> None:
    page = opened(browser, server)
    asked(page, 0)
    page.get_by_text("Keep your answers under a name").click()
    page.get_by_label("name", exact=True).focus()
    page.keyboard.type("abcd dcba")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Answers are kept as abcd dcba")).to_be_visible()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
    page.get_by_role("heading", name="Reflect").click()
    type_answer(page, "ab")
    assert quiz_store.recall("abcd dcba", QUIZ) == {0: {"a", "b"}}

    page.reload()
    asked(page, 0)
    page.get_by_text("Keep your answers under a name").click()
    page.get_by_label("name", exact=True).fill("abcd dcba")
    page.keyboard.press("Enter")
    asked(page, 1)
    page.context.close()


def test_each_link_leads_into_a_lab(browser: Browser, server: Server) -> None:
    page = opened(browser, server)
    asked(page, 0)
    for number in range(1, len(QUIZ.questions) + 1):
        expect(page.get_by_text(f"Question {number} of 6")).to_be_visible()
        # The form of the question before may still be on its way out, below the new one.
        page.get_by_role("button", name="Skip").first.click()
    expect(page.get_by_test_id("stMetricValue").nth(0)).to_have_text("0 of 6")
    links = page.get_by_test_id("stMain").get_by_test_id("stPageLink").locator("a")
    wanted = [link.address for question in QUIZ.questions for link in question.links]
    expect(links).to_have_count(len(wanted))
    addresses = [str(links.nth(i).get_attribute("href")) for i in range(len(wanted))]
    assert [address.rsplit("/", 1)[-1] for address in addresses] == wanted
    page.get_by_text(QUIZ.questions[1].text).click()
    press(links.nth(wanted.index("slanted_land?part=4&micro=7")))
    expect(page.get_by_role("heading", name="7 of 8: the error goes back through D")).to_be_visible()
    page.context.close()


NASTY = "<img src=x onerror=\"document.title='hacked'\"> **bold** :red[red] $x^2$ [link](http://x.test) `code` :smile: :material/home:"


def test_a_replaced_file_is_shown_as_it_stands(browser: Browser, server: Server, folder: Path) -> None:
    quoted = NASTY.replace("'", "''")
    question = (
        f"{{text: '{quoted}', options: {{a: '{quoted}', b: 'no'}}, answers: [a], feedback: {{a: '{quoted}', b: 'no'}}, argued: '{quoted}'}}"
    )
    (folder / "quiz.yaml").write_text(f"title: '{quoted}'\nquestions: [{question}]\n")
    page = opened(browser, server)
    expect(page.get_by_text("Keys a, b tick, Enter checks.")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter goes on.")).to_be_visible()
    shown = page.get_by_test_id("stMain").inner_text().replace("\u2060", "")
    assert shown.count(NASTY) == 5  # title, question, option, feedback, argument
    assert page.title() != "hacked"
    main = page.get_by_test_id("stMain")
    assert main.locator("a[href*='x.test'], img, .katex, strong:text-is('bold'), code:text-is('code')").count() == 0
    page.context.close()


def test_it_fits_a_telephone(browser: Browser, server: Server) -> None:
    page = opened(browser, server, width=390)
    asked(page, 0)
    type_answer(page, "a")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.get_by_test_id("stMain").evaluate("element => element.scrollWidth - element.clientWidth") <= 0
    page.context.close()
