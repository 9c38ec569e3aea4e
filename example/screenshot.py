"""Takes the picture of the README: two windows of the running demo, a card on its way in one."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, Locator, Page, ViewportSize, sync_playwright

EXAMPLE = Path(__file__).parent
PICTURE = EXAMPLE.parent / "docs" / "images" / "demo.png"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SIZE: ViewportSize = {"width": 800, "height": 790}

FRAME = """<!doctype html>
<style>
  body {{ display: flex; gap: 28px; width: max-content; margin: 0; padding: 36px;
    background: #d8deea; }}
  figure {{ margin: 0; overflow: hidden; border-radius: 12px; background: #fff;
    box-shadow: 0 3px 8px rgb(40 44 60 / 0.2); }}
  figure::before {{ content: ""; display: block; height: 30px; background:
    radial-gradient(circle 5px at 20px, #d9867f 95%, #0000),
    radial-gradient(circle 5px at 38px, #d9b36c 95%, #0000),
    radial-gradient(circle 5px at 56px, #86b78f 95%, #0000), #fbfaf8; }}
  img {{ display: block; width: {width}px; }}
</style>
<figure><img src="{0}"></figure><figure><img src="{1}"></figure>
"""

HOLD_THE_FLASH = """
for (const animation of document.getAnimations()) {
  if (animation.effect.getTiming().duration < 1000) animation.finish();
  else {
    animation.pause();
    animation.currentTime = 300;
  }
}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [sys.executable, str(EXAMPLE / "manage.py"), "demo", "--port", "0"]
        command += ["--database", str(Path(folder, "board.sqlite3"))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:  # noqa: S603
            address = next(
                filter(None, (re.search(r"http://\S+/", line) for line in demo.stdout or ()))
            )
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            try:
                take_picture(browser, address[0])
            finally:
                browser.close()
                demo.terminate()


def take_picture(browser: Browser, address: str) -> None:
    left, right = (open_window(browser, address, name) for name in ("Mira", "Jonas"))
    left.get_by_title("Jonas").wait_for()
    drag(left, "Try the board on a phone", "Doing")
    add(right, "Thank the testers")
    drag(left, "Show who else is here", "Done")
    right.locator("#log li").nth(1).wait_for()
    left.locator("#log li").nth(0).wait_for()
    drag(right, "Ask Mira about the icon set", "Doing")
    left.locator("#log li").nth(1).wait_for()
    right.mouse.move(0, 0)
    right.locator(":focus").blur()

    # The left window just before the drop, the right one just after it.
    drag(left, "Write the release notes", "Doing", drop=False)
    left.wait_for_function("document.getAnimations().length === 0")
    pictures = [left.screenshot()]
    left.mouse.up()
    right.locator("#log li").nth(2).wait_for()
    right.evaluate(HOLD_THE_FLASH)
    pictures.append(right.screenshot())

    sources = ["data:image/png;base64," + b64encode(picture).decode() for picture in pictures]
    page = browser.new_page(device_scale_factor=2, viewport={"width": 1800, "height": 900})
    page.set_content(FRAME.format(*sources, width=SIZE["width"]))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    page.locator("body").screenshot(path=PICTURE)
    print(f"{PICTURE} ({PICTURE.stat().st_size // 1000} kB)")


def open_window(browser: Browser, address: str, person: str) -> Page:
    context = browser.new_context(viewport=SIZE, device_scale_factor=2)
    window = context.new_page()
    window.goto(address)
    window.get_by_role("button", name=person).click()
    window.locator("#status[data-state=live]").wait_for()
    window.locator(".card").first.wait_for()
    return window


def add(window: Page, title: str) -> None:
    window.locator(".add input").first.fill(title)
    window.keyboard.press("Enter")


def drag(window: Page, title: str, to: str, *, drop: bool = True) -> None:
    # What still glides is not yet where it seems to be.
    window.wait_for_function("document.getAnimations().length === 0")
    card = box_of(window.locator(".card", has_text=title))
    target = window.locator(".list", has=window.get_by_role("heading", name=re.compile(f"^{to} ")))
    box = box_of(target)
    window.mouse.move(card["x"] + 60, card["y"] + 16)
    window.mouse.down()
    window.mouse.move(box["x"] + 75, box["y"] + (70 if drop else 118), steps=6)
    if drop:
        window.mouse.up()


def box_of(element: Locator) -> FloatRect:
    box = element.bounding_box()
    if box is None:
        raise LookupError(f"{element} is not shown")
    return box


if __name__ == "__main__":
    main()
