"""The page in a browser, as a person has it before them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --window-size=1100,900"
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(
    browser: webdriver.Chrome, make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> webdriver.Chrome:
    page, _ = write_page(make_inputs(num_images=30, num_selected=5))
    browser.get(page.as_uri())
    return browser


def test_no_error_and_no_request(opened: Any) -> None:
    assert opened.get_log("browser") == []
    requests = [
        entry["message"] for entry in opened.get_log("performance") if "requestWillBeSent" in entry["message"]
    ]
    assert [message for message in requests if '"url":"http' in message] == []


def test_thumbnails_are_painted(opened: webdriver.Chrome) -> None:
    thumbs = opened.find_elements(By.CSS_SELECTOR, "#selection .thumb")
    assert len(thumbs) == 5
    assert all(thumb.is_displayed() and thumb.size["width"] == 72 for thumb in thumbs)
    loaded = (
        "const i = new Image(); i.src = content.atlas.sheets[0].uri; "
        "return i.decode().then(() => i.naturalWidth)"
    )
    assert opened.execute_script(loaded) == opened.execute_script("return content.atlas.sheets[0].width")
    style = "return getComputedStyle(arguments[0]).backgroundImage.startsWith('url(\"data:image/jpeg')"
    assert opened.execute_script(style, thumbs[0])


def test_a_point_can_be_hovered(opened: webdriver.Chrome) -> None:
    canvas = opened.find_element(By.ID, "map")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    tip = opened.find_element(By.ID, "tip")
    assert not tip.is_displayed()
    width, height = canvas.size["width"], canvas.size["height"]
    for x in range(-width // 2 + 10, width // 2 - 10, 24):
        for y in range(-height // 2 + 10, height // 2 - 10, 24):
            ActionChains(opened, duration=0).move_to_element_with_offset(canvas, x, y).perform()
            if tip.is_displayed():
                assert tip.find_element(By.CLASS_NAME, "name").text.endswith(".png")
                assert tip.find_element(By.CLASS_NAME, "thumb").is_displayed()
                return
    pytest.fail("no point answered to the pointer")


def test_the_keyboard_goes_from_point_to_point(opened: webdriver.Chrome) -> None:
    canvas = opened.find_element(By.ID, "map")
    canvas.send_keys(Keys.ARROW_RIGHT)
    first = opened.find_element(By.CSS_SELECTOR, "#tip .name").text
    names = {first}
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_DOWN):
        canvas.send_keys(key)
        names.add(opened.find_element(By.CSS_SELECTOR, "#tip .name").text)
    assert len(names) > 1


def test_the_filter_hides_what_does_not_match(opened: webdriver.Chrome) -> None:
    opened.find_element(By.ID, "selection-filter").send_keys("27.png")
    shown = [
        item.text for item in opened.find_elements(By.CSS_SELECTOR, "#selection li") if item.is_displayed()
    ]
    assert len(shown) == 1
    assert "27.png" in shown[0]


def test_hostile_text_stays_text(opened: webdriver.Chrome) -> None:
    assert opened.execute_script("return document.querySelectorAll('img').length") == 0
    assert "<img src=x" in opened.find_element(By.ID, "selection").text


def test_a_narrow_window_does_not_scroll_sideways(opened: webdriver.Chrome) -> None:
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    assert opened.execute_script("return document.documentElement.scrollWidth") <= 400
