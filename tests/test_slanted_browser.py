"""'Slanted land' as its visitors meet it: in a real Chromium, with mouse and keyboard, through all six parts."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from genlab import toy_gan
from tests.browser import PATIENCE_MS, Server
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)


def visit(page: Page, server: Server, **query: object) -> None:
    page.goto(f"{server.url}/slanted_land?{'&'.join(f'{name}={value}' for name, value in query.items())}")
    page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for()
    page.get_by_role("heading", level=2).first.wait_for()


def following(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Next")).click()


def pixel(page: Page, name: str) -> Locator:
    return page.get_by_role("slider", name=f"pixel {name}")


def part_of(url: str, name: str) -> re.Pattern[str]:
    return re.compile(rf"[?&]{name}={re.escape(url)}(&|$)")


def test_all_six_parts_with_mouse_and_keyboard(page: Page, server: Server) -> None:
    visit(page, server)
    # 1: the first click makes somebody appear.
    says = page.locator(".easel .says")
    expect(says).to_have_text("0.50: undecided")
    pixel(page, "bottom right").click()
    expect(says).to_have_text("0.73: a face")
    expect(page).to_have_url(part_of("1%2C0%2C0%2C1", "picture"))
    pixel(page, "top right").press("PageUp")
    pixel(page, "top right").press("ArrowUp")
    expect(pixel(page, "top right")).to_have_attribute("aria-valuetext", "0.3, light")
    expect(says).to_have_text("0.67: a face")
    page.locator(".easel .shelf button").last.press("Enter")
    expect(says).to_have_text(re.compile("not a face"))
    page.get_by_role("button", name=re.compile("faces of the lecture: top left 1, top right 0,")).click()
    expect(says).to_have_text("0.73: a face")

    # 2: the picture is still there; zeros separate nothing, and the keyboard moves a weight.
    following(page)
    neuron = page.locator(".neuron")
    expect(neuron.locator(".big")).to_have_text("0.73")
    page.get_by_role("button", name="All zero").click()
    expect(neuron.locator(".score")).to_have_text("0 of 11 right.")
    page.get_by_role("slider", name="bias").press("ArrowRight")
    expect(neuron.locator(".score")).to_have_text("5 of 11 right.")
    expect(page).to_have_url(part_of("0%2C0%2C0%2C0%2C0.05", "weights"))
    page.get_by_role("button", name="The lecture’s weights").click()
    expect(neuron.locator(".score")).to_have_text("11 of 11 right.")

    # 3: the point moves by keyboard.
    following(page)
    expect(page.get_by_text("2.303 nats")).to_be_visible()
    page.get_by_role("button", name="0.9", exact=True).click()
    expect(page.get_by_text("slope −1/p = −1.11")).to_be_visible()
    expect(page.get_by_text("0.105 nats")).to_be_visible()
    page.get_by_role("slider").press("ArrowLeft")
    expect(page).to_have_url(part_of("0.89", "p"))

    # 4: forwards and backwards.
    following(page)
    scene = page.locator(".microscope .words")
    expect(scene).to_have_text(re.compile("D weighs the pixels of face 1"))
    page.get_by_role("button", name="Forward").press("Enter")
    expect(scene).to_have_text(re.compile("flows back into w and b"))
    expect(page.locator(".microscope svg")).to_have_class("backward")
    expect(page.get_by_role("cell", name="w₄")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    expect(scene).to_have_text(re.compile("D weighs the pixels of face 1"))

    # 5: it plays by itself, obeys, and puts a step under the microscope.
    following(page)
    where, scrub = page.locator(".reel .where"), page.locator(".reel .scrub")
    expect(where).to_have_text(re.compile(r"step [1-9]"))
    scrub.press("End")
    expect(where).to_have_text("step 5,000")
    expect(page.get_by_role("button", name="play")).to_be_visible()
    expect(page).to_have_url(part_of("5000", "step"))
    expect(scrub).to_have_attribute("aria-valuetext", re.compile(r"step 5,000. non-saturating: D’s loss 1\.\d+ \(ln 4 = 1\.386\)"))
    page.get_by_role("button", name="This step under the microscope").click()
    expect(page).to_have_url(part_of("4", "part"))
    expect(page.get_by_label("step, of 5,000")).to_have_value("5000")

    # 6: the map fills; a cell is chosen by keyboard, and one of its runs opened.
    page.get_by_role("radio", name="6 A million").click()
    expect(page.locator(".phases .status")).to_have_text(re.compile("5,000 of 5,000 steps each"))
    plane = page.locator(".phases .plane")
    plane.press("Shift+ArrowLeft")
    plane.press("Enter")
    expect(plane).to_have_attribute("aria-label", re.compile(r"draw faces and heed z, \d+ draw faces but ignore z"))
    runs = page.locator(".phases .runs button")
    expect(runs.first).to_be_visible()
    label = runs.first.get_attribute("aria-label") or ""
    seed = re.findall(r"run of seed (\d+)", label)[0]
    runs.first.press("Enter")
    expect(page).to_have_url(part_of(seed, "seed"))
    expect(page.get_by_role("spinbutton", name="seed")).to_have_value(seed)
    page.reload()
    expect(page.get_by_text(re.compile(f"of seed {seed}, learning rate"))).to_be_visible()


def test_a_dragged_pixel_is_shaded_and_a_dragged_weight_answers_while_it_moves(page: Page, server: Server) -> None:
    visit(page, server, picture="0,0,0,0")
    box = pixel(page, "top left").bounding_box()
    assert box is not None
    x, y = box["x"] + 30, box["y"] + 100
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 30, steps=3)
    page.mouse.up()
    expect(pixel(page, "top left")).to_have_attribute("aria-valuetext", "0.25, light")
    expect(page.locator(".easel .sum")).to_contain_text("g = 0.25·1")

    visit(page, server, part=2, picture="1,0,0,1")
    slider = page.get_by_role("slider", name="weight of the top left pixel")
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 40, box["y"] + box["height"] / 2, steps=5)
    expect(page.locator(".neuron .big")).to_have_text(f"{toy_gan.discriminate((1, 0, 0, 1), (5, -1, -1, 1), -1):.2f}")
    assert "weights" not in page.url  # not before it is let go
    page.mouse.up()
    expect(page).to_have_url(part_of("5%2C-1%2C-1%2C1%2C-1", "weights"))


def test_who_wants_no_motion_gets_the_trained_run(browser: Browser, server: Server) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    visit(page, server, part=5)
    expect(page.locator(".reel .where")).to_have_text("step 5,000")
    expect(page.get_by_role("button", name="play")).to_be_visible()
    visit(page, server, part=4)
    expect(page.locator(".microscope .flow").first).to_have_css("animation-name", "none")
    context.close()


def test_every_part_fits_a_telephone(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 900})
    page = context.new_page()
    for part, shown in enumerate(
        (".easel .pixel", ".neuron .pixel", "[data-testid=stVegaLiteChart]", ".microscope .cell", ".reel svg", "canvas"), 1
    ):
        visit(page, server, part=part)
        page.locator(shown).first.wait_for()
        main = page.get_by_test_id("stMain")
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            wait_until(lambda main=main: main.evaluate("element => element.scrollWidth - element.clientWidth") <= 0)
    visit(page, server, part=4)
    for micro in range(1, 9):
        page.get_by_role("heading", name=f"{micro} of 8").wait_for()
        expect(page.locator(".katex-display")).to_have_count(2)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            # KaTeX's own boxes overlap by a pixel or two.
            wait_until(lambda: page.evaluate(WIDEST_FORMULA) <= 2)
        if micro < 8:
            page.get_by_role("button", name="Forward").click()
    context.close()


# By how many pixels the widest formula is cut off.
WIDEST_FORMULA = "Math.max(...[...document.querySelectorAll('.katex-display')].map(each => each.scrollWidth - each.clientWidth))"
