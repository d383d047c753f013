"""Every page in a real Chromium: what moves obeys mouse and keyboard, nothing comes from the web, and axe finds nothing to complain of."""

import re
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from genlab.dashboard.navigation import FIRST, PAGES, next_of
from tests.browser import PATIENCE_MS, Server, press
from tests.photographs import photograph
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)

# What axe says of Streamlit's own elements, whoever uses them (its own end-to-end tests except these too); nothing of ours is excepted.
STREAMLITS_OWN = {
    "list": r'<ul data-testid="stSidebarNavItems"',  # sections are divs in a list
    "listitem": r'^<li class="st-emotion-cache-\w+ \w+">',  # and their entries' list has its role taken away
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def visit(browser: Browser, server: Server, page: str, *, width: int = 1280, scheme: str = "light", motion: str = "no-preference") -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion=motion,  # type: ignore[arg-type]
    )
    context.set_default_timeout(PATIENCE_MS)
    tab = context.new_page()
    tab.goto(f"{server.url}/{'' if page == FIRST else page}")
    settle(tab)
    return tab


def settle(tab: Page) -> None:
    """The script has run to its end, and what it sent is there."""
    tab.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for()
    tab.locator("[data-testid=stHeading] h1").first.wait_for()
    tab.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    expect(tab.get_by_test_id("stSpinner")).to_have_count(0)
    # theme.css comes with a piece of Streamlit's own code that is fetched when first needed
    tab.wait_for_function("[...document.querySelectorAll('style')].some(style => style.textContent.includes('stBaseButton-primary'))")


# --- for everyone ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_suits_every_window_and_theme_and_asks_nobody(browser: Browser, server: Server, page: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    tab = context.new_page()
    requests: list[str] = []
    errors: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(f"{server.url}/{'' if page == FIRST else page}")
    settle(tab)
    assert tab.title() == f"{PAGES[page].title} – genlab"
    for scheme in SCHEMES:
        tab.emulate_media(color_scheme=scheme)
        expect(tab.locator(f":root[data-scheme={scheme}]")).to_have_count(1)
        for width in (1920, 1280, 390):
            tab.set_viewport_size({"width": width, "height": 900})
            wait_until(lambda width=width: fits(tab, width))
            if width < 1920:
                settle(tab)  # of another theme a page with charts runs again, and what is stale meanwhile is pale
                assert complaints(tab) == []
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(media="print")
    assert tab.evaluate(UNFIT_FOR_PAPER) == []
    assert errors == []
    assert [url for url in requests if not url.startswith((server.url, "data:", "blob:"))] == []
    context.close()


def fits(tab: Page, width: int) -> bool:
    """Nothing sticks out, and a large screen is not left empty."""
    main = tab.get_by_test_id("stMain")
    used = tab.evaluate("Math.max(0, ...[...document.querySelectorAll('.st-key-page')].map(page => page.clientWidth))")
    return (
        main.evaluate("element => element.scrollWidth - element.clientWidth") <= 0
        and tab.evaluate("document.documentElement.scrollWidth") <= width
        and (width < 1920 or used == 0 or used >= 1400)
    )


def complaints(tab: Page) -> list[str]:
    """What axe finds, and tab stops out of the order in which things stand."""
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary')}"
        for violation in Axe().run(tab).response["violations"]
        for node in violation["nodes"]
        if not re.search(STREAMLITS_OWN.get(violation["id"], "(?!)"), str(node["html"]))
    ] + tab.evaluate("[...document.querySelectorAll('[tabindex]')].filter(each => each.tabIndex > 0).map(each => each.outerHTML)")


# What paper should not show: the way to other pages, whatever is there to be pressed, and light words.
UNFIT_FOR_PAPER = """(() => {
  const found = [];
  const shown = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  const luminance = (colour) => Math.max(...colour.match(/[\\d.]+/g).slice(0, 3).map(Number));
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) walk(element.shadowRoot);
      if (!shown(element)) continue;
      const isLight = luminance(getComputedStyle(element).color) > 200;
      const isControl = element.matches("[data-testid=stSidebar], [data-testid=stHeader] *, input[type=range], [data-testid=stButton]");
      if (isControl || (isLight && element.matches("h1, h2, h3, p, li, figcaption"))) found.push(element.outerHTML);
    }
  };
  walk(document);
  return found.map((html) => html.slice(0, 200));
})()"""


def test_a_telephone_s_sidebar_closes_behind_whoever_chose_a_page(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "temperature", width=390)
    sidebar = tab.get_by_test_id("stSidebar")
    expect(sidebar).to_have_attribute("data-collapsed", "true")
    tab.get_by_test_id("stExpandSidebarButton").click()
    expect(sidebar).to_have_attribute("data-collapsed", "false")
    sidebar.get_by_role("link", name="Quiz").click()
    expect(tab).to_have_url(f"{server.url}/quiz")
    expect(sidebar).to_have_attribute("data-collapsed", "true")
    tab.context.close()


def test_a_formula_that_scrolls_can_be_reached_by_keyboard(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "slanted_land?part=4", width=390)
    formula = tab.locator(".katex-display").first
    formula.wait_for()
    tab.add_style_tag(content=".katex-display { width: 60px; }")
    tab.set_viewport_size({"width": 380, "height": 900})
    expect(formula).to_have_attribute("tabindex", "0")
    tab.context.close()


def test_ink_on_paper_in_the_dark_theme_too(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "map", scheme="dark", motion="reduce")
    digit = tab.get_by_label(re.compile("A digit that nobody wrote, 1 of")).first
    digit.wait_for()
    assert digit.evaluate(CORNER) == [21, 24, 29]
    tab.emulate_media(media="print")
    wait_until(lambda: digit.evaluate(CORNER) == [255, 255, 255])
    tab.emulate_media(media="screen")
    wait_until(lambda: digit.evaluate(CORNER) == [21, 24, 29])
    tab.context.close()


def test_the_words_of_charts_follow_a_theme_that_changes(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "temperature", motion="reduce")
    word = tab.get_by_test_id("stVegaLiteChart").locator("svg text").first
    in_light = str(word.get_attribute("fill"))
    tab.emulate_media(color_scheme="dark")
    expect(word).not_to_have_attribute("fill", in_light)
    tab.context.close()


CORNER = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 1, 1).data.slice(0, 3)]"


# --- the map ---------------------------------------------------------------------------------------------------------------------


def test_the_map_shows_fresh_digits_and_its_leaves_are_doors(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "map")
    expect(tab.get_by_label(re.compile("A digit that nobody wrote, 1 of")).first).to_be_visible()
    tab.locator(".tree").get_by_role("link", name="Pixel theatre").click()
    expect(tab).to_have_url(f"{server.url}/theatre")
    expect(tab.get_by_role("heading", name="The pixel theatre")).to_be_visible()
    tab.context.close()


# --- the theatre -----------------------------------------------------------------------------------------------------------------


def test_the_theatre_draws_by_itself_and_obeys_mouse_and_keyboard(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "theatre")
    where, scrub = tab.locator(".theatre .where"), tab.locator(".theatre .scrub")
    expect(where).to_have_text(re.compile(r"image 1: [1-9]\d* of \d+ pixels drawn"))
    pixels = int(re.findall(r"of (\d+)", where.inner_text())[0])
    expect(tab.locator(".theatre .total")).to_have_text(re.compile(r"[\d.]+ bits"))
    tab.get_by_role("button", name="pause").click()
    expect(tab.get_by_role("button", name="play")).to_be_visible()
    scrub.focus()
    scrub.press("Home")
    expect(where).to_have_text(f"image 1: 0 of {pixels} pixels drawn")
    for _ in range(3):
        scrub.press("ArrowRight")
    expect(where).to_have_text(f"image 1: 3 of {pixels} pixels drawn")
    expect(scrub).to_have_attribute(
        "aria-valuetext", re.compile(rf"3 of {pixels} drawn. Row 1, column 3 became|3 of {pixels} pixels drawn. Row 1")
    )
    tab.get_by_role("button", name="one pixel on").click()
    tab.get_by_role("button", name="one pixel on").click()
    tab.get_by_role("button", name="one pixel back").click()
    expect(where).to_have_text(f"image 1: 4 of {pixels} pixels drawn")
    tab.get_by_role("button", name="next image").press("Enter")
    expect(where).to_have_text(f"image 2: 4 of {pixels} pixels drawn")
    tab.locator(".theatre .others").click(position={"x": 8, "y": 8})
    expect(where).to_have_text(f"image 1: 4 of {pixels} pixels drawn")
    speed, pace = tab.locator(".theatre .speed"), tab.locator(".theatre .pace")
    speed.press("Home")
    expect(pace).to_have_text("1.0 pixels/s")
    speed.press("End")
    expect(pace).to_have_text(re.compile(r"^\d{3,} pixels/s"))
    tab.get_by_role("button", name="play").click()
    expect(where).to_have_text(re.compile("image [2-9]"))  # at full speed images fly by
    tab.emulate_media(reduced_motion="reduce")
    expect(tab.get_by_role("button", name="play")).to_be_visible()
    tab.context.close()


def test_a_pixel_that_is_clicked_shows_what_it_sees(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "theatre")
    tab.get_by_role("button", name="pause").click()
    sentence = tab.locator(".field .sentence")
    box = tab.locator(".theatre .picture").bounding_box()
    assert box is not None
    tab.locator(".theatre .picture").click(position={"x": box["width"] - 2, "y": 2})
    expect(sentence).to_have_text(
        re.compile(r"^To predict row 1, column \d+, the model feels \d+ of the \d+ pixels before it.* later ones it feels 0\.$")
    )
    tab.locator(".theatre .picture").click(position={"x": 2, "y": 2})
    expect(sentence).to_have_text(re.compile("^To predict row 1, column 1, the model feels 0 of the 0 pixels before it"))
    tab.locator(".theatre .scrub").fill("10")
    tab.get_by_role("button", name="what does it see?").press("Enter")
    expect(sentence).not_to_have_text(re.compile("column 1,"))
    expect(tab.locator(".theatre .where")).to_have_text(re.compile("10 of"))  # the play was not disturbed
    beside = tab.locator(".theatre .dearest")
    expect(beside).to_have_text(sentence.inner_text())
    expect(beside).to_be_in_viewport()
    tab.get_by_role("button", name="bits spent").click()
    expect(beside).to_have_text(re.compile("where the bits"))
    assert tab.locator(".field .layers li").count() >= 2
    tab.context.close()


def test_who_wants_no_motion_gets_the_finished_image(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "theatre", motion="reduce")
    expect(tab.locator(".theatre .where")).to_have_text(re.compile(r"image 1: (\d+) of \1 pixels drawn"))
    expect(tab.get_by_role("button", name="play")).to_be_visible()
    tab.context.close()


def test_pixels_light_up_in_the_order_in_which_they_wait(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "slow", motion="reduce")
    tab.locator(".waits .scrub").fill("2")
    gated = tab.get_by_role("img", name=re.compile("gated_pixelcnn: 64 steps"))
    expect(gated.locator(".pixel.done")).to_have_count(1)
    expect(gated.locator(".pixel.now")).to_have_count(1)
    gated.locator(".pixel").nth(9).hover()
    expect(gated.locator(".pixel.awaited")).to_have_count(9)
    expect(tab.get_by_role("img", name="gated_pixelcnn: 1 step for 8×8 pixels").locator(".pixel.done")).to_have_count(64)
    tab.context.close()


def test_the_race_ends(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "slow?model=tiny")
    tab.get_by_role("button", name="Race them").click()
    expect(tab.locator(".race .lane")).to_have_count(4)
    expect(tab.locator(".race .home .clock").first).to_have_text(re.compile(r"[\d.]+ m?s"))
    expect(tab.locator(".race .sentence")).to_have_text(re.compile(r"^\d+ images?[.,] "))
    tab.context.close()


def test_what_was_chosen_survives_pages_back_a_reload_and_a_second_browser(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "completion", motion="reduce")
    tab.get_by_role("button", name="clear").click()
    paper = tab.locator(".pad .paper")
    paper.click(position={"x": 80, "y": 60})
    drawn = re.compile("^[1-9][0-9]* pixels have ink")
    expect(paper).to_have_attribute("aria-label", drawn)
    expect(tab).to_have_url(re.compile("drawing="))
    settle(tab)
    one_dab, address = paper.get_attribute("aria-label") or "", tab.url
    tab.get_by_role("link", name="Pixel theatre").click()
    tab.locator(".theatre .picture").click(position={"x": 100, "y": 200})
    expect(tab).to_have_url(re.compile(r"theatre\?image=1&pixel=\d+%2C\d+"))
    tab.get_by_role("link", name="Finish my digit").click()
    expect(paper).to_have_attribute("aria-label", one_dab)
    paper.click(position={"x": 160, "y": 140})
    expect(tab).not_to_have_url(address)
    expect(paper).not_to_have_attribute("aria-label", one_dab)
    settle(tab)
    tab.go_back()
    expect(paper).to_have_attribute("aria-label", one_dab)
    tab.reload()
    expect(paper).to_have_attribute("aria-label", one_dab)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.get_by_role("button", name="copy the link").click()
    expect(tab.get_by_text("copied", exact=True)).to_be_visible()
    copied = tab.evaluate("navigator.clipboard.readText()")
    tab.context.close()
    other = browser.new_context().new_page()
    other.goto(copied)
    expect(other.locator(".pad .paper")).to_have_attribute("aria-label", one_dab)
    other.context.close()


def test_a_photograph_is_uploaded_and_another_digit_takes_it_away(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "completion", motion="reduce")
    tab.get_by_text("or upload a picture of one").click()
    tab.locator("input[type=file]").set_input_files({"name": "seven.jpg", "mimeType": "image/jpeg", "buffer": photograph()})
    expect(tab.get_by_role("slider", name="ink begins at")).to_be_visible()
    expect(tab).to_have_url(re.compile("drawing="))
    expect(tab.get_by_test_id("stImage").locator("img")).to_be_visible()
    tab.get_by_role("button", name="Another digit").click()
    expect(tab).not_to_have_url(re.compile("drawing="))
    expect(tab.get_by_test_id("stImage")).to_have_count(0)
    tab.context.close()


def test_eight_browsers_that_come_at_once_are_all_served(browser: Browser, tmp_path: Path) -> None:
    with Server(tmp_path / "runs") as server:  # fresh: nothing is loaded yet
        contexts = [browser.new_context() for _ in range(8)]
        tabs = [context.new_page() for context in contexts]
        for tab, page in zip(tabs, [*PAGES, *PAGES], strict=False):
            tab.goto(f"{server.url}/{'' if page == FIRST else page}", wait_until="commit")
        for tab in tabs:
            tab.set_default_timeout(PATIENCE_MS)
            settle(tab)
            expect(tab.get_by_test_id("stException")).to_have_count(0)
            expect(tab.get_by_text("a fault of genlab")).to_have_count(0)
        for context in contexts:
            context.close()


# --- the pad ---------------------------------------------------------------------------------------------------------------------


def test_a_digit_is_drawn_with_the_mouse_and_finished(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "completion")
    first = tab.get_by_label("A completion, 1 of 12")
    before = settled_picture(tab)
    tab.get_by_role("button", name="clear").click()
    paper = tab.locator(".pad .paper")
    expect(paper).to_have_attribute("aria-label", re.compile("^0 pixels have ink"))
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.15 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.15 * box["height"], steps=8)
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.45 * box["height"], steps=8)
    tab.mouse.up()
    expect(paper).to_have_attribute("aria-label", re.compile("^[1-9][0-9]* pixels have ink"))
    settle(tab)
    expect(first).to_be_visible()
    assert settled_picture(tab) != before
    tab.context.close()


def test_a_digit_is_drawn_with_the_keyboard(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "completion", motion="reduce")
    tab.get_by_role("button", name="clear").press("Enter")
    paper = tab.locator(".pad .paper")
    paper.focus()
    for key in ("ArrowRight", "Space", "ArrowDown", "Space"):
        paper.press(key)
    expect(paper).to_have_attribute("aria-label", re.compile(r"^Row \d+, column \d+, level [1-9]\d* of \d+. 2 pixels have ink"))
    rows = tab.locator(".pad .rows")
    rows.focus()
    rows.press("Home")
    expect(tab.locator(".pad .count")).to_have_text(re.compile("^0 of"))
    expect(tab.get_by_text(re.compile(r"12 completions of \d+ pixels each"))).to_be_visible()
    tab.context.close()


def settled_picture(tab: Page) -> str:
    """The first completion's pixels."""
    return str(tab.get_by_label("A completion, 1 of 12").evaluate("canvas => canvas.toDataURL()"))


# --- the lecture's way -----------------------------------------------------------------------------------------------------------


def test_the_map_remembers_where_this_browser_has_been_and_finds_slides(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "gallery", motion="reduce")
    tab.locator(".gallery canvas").first.wait_for()
    assert (
        tab.locator(".gallery canvas").first.evaluate("canvas => new Set(canvas.getContext('2d').getImageData(0, 0, 99, 28).data).size") > 2
    )
    expect(tab.locator(".link .slides")).to_have_text("Slide 5")
    press(tab.get_by_role("link", name=re.compile("^Next: ")))
    expect(tab).to_have_url(f"{server.url}/{next_of('gallery')}")
    settle(tab)
    tab.goto(server.url)
    settle(tab)
    expect(tab.locator(".way .done")).to_have_text(re.compile(r"been to 3 of \d+ pages"))
    expect(tab.locator(".way li", has_text=PAGES["gallery"].title).locator(".mark")).to_have_text("✓")
    slide = tab.locator(".way input")
    slide.fill("57")
    expect(tab.locator(".way .asked")).to_have_count(1)
    slide.press("Enter")
    expect(tab).to_have_url(f"{server.url}/slanted_land?part=3")
    tab.context.close()
