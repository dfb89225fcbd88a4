"""The labelling page in a real browser: keys, pictures, back, an end, and two pages at once."""

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from spi_lightning.labelling import LabelServer

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api", reason="drives a browser by playwright")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="labels in a browser, Chromium")
READY = "!document.getElementById('single').disabled"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, server: LabelServer) -> Iterator[Any]:
    found = opened(browser, server)
    yield found
    found.close()


def opened(browser: Any, server: LabelServer, width: int = 1400) -> Any:
    """Page that shows its first frame; a fault of its script fails the test."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(server.address)
    page.wait_for_function(READY)
    return page


def frame_of(page: Any) -> int:
    return int(page.inner_text("#number"))


def press(page: Any, key: str) -> None:
    """Press a key and wait until a frame is shown."""
    before = page.inner_text("#number"), page.inner_text("#message")
    page.keyboard.press(key)
    page.wait_for_function(f"({READY}) || document.getElementById('message').textContent.startsWith('All')")
    now = page.inner_text("#number"), page.inner_text("#message")
    assert now != before, f"{key} did nothing"


def test_keys_write_labels_and_bring_the_next_frame(page: Any, server: LabelServer) -> None:
    for key, word in (("s", "single"), ("o", "other"), ("k", "skip"), ("1", "single"), ("0", "other"), (" ", "skip")):
        frame = frame_of(page)
        press(page, key)
        assert frame_of(page) == frame + 1 and server.session.labels.words[frame] == word
    assert "6 of 24 done: 2 single, 2 other, 2 skipped" in page.inner_text("#counts")
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 16 and not page.faults


def test_back_shows_the_label_and_another_key_corrects_it(page: Any, server: LabelServer) -> None:
    press(page, "s")
    press(page, "s")
    press(page, "ArrowLeft")
    assert frame_of(page) == 1 and page.inner_text("#label") == "single"
    press(page, "o")
    assert frame_of(page) == 2 and server.session.labels.words[:3] == ["single", "other", "unknown"]
    press(page, "ArrowLeft")
    press(page, "ArrowRight")
    assert frame_of(page) == 2 and page.inner_text("#label") == "none yet"


def test_a_key_counts_only_while_its_frame_is_shown(page: Any, server: LabelServer) -> None:
    page.evaluate("for (let n = 0; n < 9; n++) document.dispatchEvent(new KeyboardEvent('keydown', { key: 's' }))")
    page.wait_for_function("document.getElementById('number').textContent === '1' && " + READY)
    page.keyboard.press("Control+s")
    assert server.session.labels.counts()["single"] == 1, "frames that nobody saw have no label"


def test_two_pages_and_a_reload(browser: Any, page: Any, server: LabelServer) -> None:
    other = opened(browser, server, 420)
    assert {frame_of(page), frame_of(other)} == {0, 1}
    press(page, "s")
    press(other, "o")
    assert server.session.labels.words[:2] == ["single", "other"]
    assert other.evaluate("document.documentElement.scrollWidth") <= 420
    other.reload()
    other.wait_for_function(READY)
    assert server.session.labels.words[frame_of(other)] == "unknown" and not other.faults
    other.close()


def test_the_last_frame_ends_and_back_still_corrects(page: Any, server: LabelServer) -> None:
    for _ in range(24):
        press(page, "s")
    assert "All frames are done" in page.inner_text("#message")
    press(page, "b")
    press(page, "o")
    assert server.session.labels.counts() == {"single": 23, "other": 1, "skip": 0, "unknown": 0}


def test_a_label_that_is_not_written_is_said_and_the_frame_stays(page: Any, server: LabelServer) -> None:
    server.session.labels.path.write_text("of another\n")
    page.keyboard.press("s")
    page.wait_for_function("document.getElementById('message').className === 'error'")
    assert re.search("frame 0 is NOT labelled.*not written by spi label", page.inner_text("#message"))
    assert frame_of(page) == 0
    server.session.labels.path.unlink()
    press(page, "s")
    assert server.session.labels.words[0] == "single" and frame_of(page) == 1


def test_zoom_and_buttons(page: Any, server: LabelServer) -> None:
    page.keyboard.press("z")
    page.wait_for_function("document.getElementById('picture').naturalWidth === 8 && " + READY)
    page.click("#other")
    page.wait_for_function("document.getElementById('number').textContent === '1' && " + READY)
    assert server.session.labels.words[0] == "other"
