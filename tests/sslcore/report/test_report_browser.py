"""The page in a browser, as a person has it before them."""

import csv
import io
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --hide-scrollbars --window-size=1100,900"
)
HOSTILE = '<"/script><img src=x onerror=alert(1)>, "x".png'

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]

Open = Callable[..., webdriver.Chrome]


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def open_page(
    chrome: webdriver.Chrome, make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> Iterator[Open]:
    """Open a page of drawn inputs; afterwards, nothing may have gone wrong and nothing been asked for."""

    def run(change: Callable[[Any], Any] | None = None, **drawn: Any) -> webdriver.Chrome:
        inputs = make_inputs(**{"num_images": 30, "num_selected": 5, **drawn})
        if change:
            change(inputs)
        page, _ = write_page(inputs)
        for kind in ("browser", "performance"):
            drain(chrome, kind)
        chrome.get(page.as_uri())
        # Screenshots right after scrolling would show the page on its way.
        chrome.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
        return chrome

    yield run
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert drain(chrome, "browser") == []
    sent = [message for message in drain(chrome, "performance") if "Network.requestWillBeSent" in message]
    assert [message for message in sent if '"url":"http' in message or '"url":"ws' in message] == []


def drain(browser: webdriver.Chrome, kind: str) -> list[str]:
    """Return the messages since the last call."""
    return [entry["message"] for entry in browser.get_log(kind)]  # type: ignore[no-untyped-call]


def element(browser: webdriver.Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]


def point_at_the_middle(browser: webdriver.Chrome) -> None:
    ActionChains(browser, duration=0).move_to_element(element(browser, "#map")).perform()


def middle_colour(shown: WebElement) -> tuple[int, ...]:
    with Image.open(io.BytesIO(shown.screenshot_as_png)) as image:
        pixel = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(pixel, tuple)
    return pixel


def drawn_colour(page: webdriver.Chrome, name: str) -> tuple[int, ...]:
    """The colour of the picture that the fixtures drew, two folders above the page."""
    path = Path(page.current_url.removeprefix("file://")).parents[1] / "pictures" / name
    with Image.open(path) as image:
        pixel = image.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel


def alike(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 12


def test_every_picture_of_the_gallery_shows_its_sample(open_page: Open) -> None:
    browser = open_page()
    frames = browser.find_elements(By.CSS_SELECTOR, "#selection .thumb")
    names = texts(browser, "#selection .name")
    assert names == ["25.png", "26.png", "27.png", "28.png", "29.png"]
    for frame, name in zip(frames, names, strict=True):
        assert max(frame.size["width"], frame.size["height"]) == 96
        assert alike(middle_colour(frame), drawn_colour(browser, name))


def test_a_point_that_is_hovered_tells_what_it_is(open_page: Open) -> None:
    browser = open_page(num_images=1, num_selected=0)
    assert not element(browser, "#tip").is_displayed()
    point_at_the_middle(browser)
    assert texts(browser, "#tip .name") == ["00.png"]
    assert "no label · " in element(browser, "#tip").text
    assert alike(middle_colour(element(browser, "#tip .thumb")), drawn_colour(browser, "00.png"))
    ActionChains(browser).move_to_element(element(browser, "h1")).perform()
    assert not element(browser, "#tip").is_displayed()


def test_pictures_can_be_drawn_at_the_points(open_page: Open) -> None:
    browser = open_page(num_images=1, num_selected=0)
    canvas, colour = element(browser, "#map"), drawn_colour(browser, "00.png")
    assert not alike(middle_colour(canvas), colour)
    element(browser, "#map-thumbs").click()
    ActionChains(browser).move_to_element(element(browser, "h1")).perform()
    assert alike(middle_colour(canvas), colour)


def test_the_gallery_leads_to_the_place_on_the_map(open_page: Open) -> None:
    browser = open_page()
    browser.find_elements(By.CSS_SELECTOR, "#selection .show")[2].click()
    assert texts(browser, "#tip .name") == ["27.png"]
    ActionChains(browser).send_keys(Keys.ESCAPE).move_to_element(element(browser, "h1")).perform()
    assert not element(browser, "#tip").is_displayed()
    point_at_the_middle(browser)  # where the map went
    assert texts(browser, "#tip .name") == ["27.png"]
    assert "Selected, rank 3: far from all others, 2" in element(browser, "#tip").text


def test_a_click_keeps_the_sample_until_escape(open_page: Open) -> None:
    browser = open_page(num_images=1, num_selected=0)
    element(browser, "#map").click()
    ActionChains(browser).move_to_element(element(browser, "h1")).perform()
    assert texts(browser, "#tip .name") == ["00.png"]
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not element(browser, "#tip").is_displayed()


def test_the_keyboard_goes_from_point_to_point(open_page: Open) -> None:
    browser = open_page()
    canvas = element(browser, "#map")
    names = []
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP):
        canvas.send_keys(key)
        names.append(element(browser, "#tip .name").text)
    assert names[0] != names[1]
    assert len(set(names)) >= 3


def test_what_is_searched_for_is_found_and_shown(open_page: Open) -> None:
    browser = open_page()
    field = element(browser, "#map-find")
    field.send_keys("1.png")
    assert element(browser, "#map-found").text == "3 found"
    shown = []
    for _ in range(4):
        field.send_keys(Keys.ENTER)
        shown.append(element(browser, "#tip .name").text)
    assert shown == ["01.png", "11.png", "21.png", "01.png"]


def test_the_legend_counts_and_hides_groups(open_page: Open) -> None:
    browser = open_page()
    assert texts(browser, "#legend button") == ["cat\n7", "dog\n8", "no label\n15"]
    for button in browser.find_elements(By.CSS_SELECTOR, "#legend button")[1:]:
        button.click()
    assert element(browser, "#map-shown").text == "7 of 30 shown"
    element(browser, "#legend-all").click()
    assert element(browser, "#map-shown").text == ""


def test_colours_can_follow_the_selection_instead(open_page: Open) -> None:
    browser = open_page()
    choice = Select(element(browser, "#map-colour"))
    assert [option.text for option in choice.options] == ["label", "split", "selected"]
    choice.select_by_visible_text("selected")
    assert texts(browser, "#legend button") == ["selected\n5", "not selected\n25"]


def test_the_filter_hides_what_does_not_match(open_page: Open) -> None:
    browser = open_page()
    element(browser, "#selection-filter").send_keys("27.PNG")
    assert texts(browser, "#selection .name") == ["27.png"]
    assert element(browser, "#selection-count").text == "1 of 5"


def test_the_list_to_label_is_a_csv_that_can_be_saved(open_page: Open, tmp_path: Path) -> None:
    browser = open_page(also=[HOSTILE], num_selected=2)
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    element(browser, "#save-list").click()
    path = tmp_path / "to-label.csv"
    for _ in range(100):
        if path.is_file():
            break
        time.sleep(0.05)
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["filename", "label"], ["29.png", ""], [HOSTILE, ""]]


def test_hostile_text_stays_text(open_page: Open) -> None:
    browser = open_page(also=[HOSTILE], label="<b>x</b>", reason="<img src=x onerror=alert(1)>")
    assert browser.find_elements(By.CSS_SELECTOR, "img, #legend b, #confusion b") == []
    assert HOSTILE in texts(browser, "#selection .name")
    assert "<img src=x onerror=alert(1)>, 0" in element(browser, "#selection").text
    assert "<b>x</b>" in element(browser, "#legend").text


def test_the_policy_stops_what_would_get_in_all_the_same(open_page: Open) -> None:
    browser = open_page()
    inject = "document.body.insertAdjacentHTML('beforeend', arguments[0])"
    browser.execute_script(
        inject, '<img src="http://127.0.0.1:9/x.png"><img src="data:," onerror="window.ran = 1">'
    )
    time.sleep(0.2)
    assert browser.execute_script("return window.ran") is None
    complaints = drain(browser, "browser")  # which also keeps them from the fixture
    assert sum("Content Security Policy" in complaint for complaint in complaints) == 2
    drain(browser, "performance")


def test_curves_are_read_together_with_the_keyboard(open_page: Open) -> None:
    browser = open_page()
    assert texts(browser, ".curve output")[:2] == ["1.5 epoch 2", "0.5 epoch 2"]
    svg = browser.find_elements(By.CSS_SELECTOR, ".curve svg")[0]
    svg.send_keys(Keys.ARROW_LEFT)
    assert texts(browser, ".curve output")[0] == "2.5 epoch 1"
    assert texts(browser, ".curve output")[-1] == "0.1 epoch 1"
    assert svg.get_attribute("aria-valuetext") == "2.5 at epoch 1"


def test_figures_are_said_in_words(open_page: Open) -> None:
    browser = open_page()
    verdict = element(browser, "#verdict").text
    assert verdict.endswith(
        "70.0 % of cases: 10.0 points above the champion, 50.0 points above random weights."
    )
    assert element(browser, "#verdict").get_attribute("class") == "verdict"
    assert texts(browser, ".bars .number") == ["70.0 %", "60.0 %", "20.0 %"]


def test_a_backbone_below_raw_pixels_is_called_that(open_page: Open) -> None:
    browser = open_page(
        lambda inputs: inputs["metrics"].write_text('{"knn": {"backbone": 0.3, "raw_pixels": 0.45}}')
    )
    assert "15.0 points below raw pixels. These features are not worth using yet" in (
        element(browser, "#verdict").text
    )


def test_a_page_with_next_to_nothing_says_so(open_page: Open) -> None:
    def strip(inputs: Any) -> None:
        inputs["metrics"].write_text('{"note": "no labelled samples"}')
        (inputs["plots"] / "confusion.csv").unlink()
        (inputs["backbone"] / "history.csv").unlink()

    browser = open_page(strip, num_images=1, num_selected=0)
    assert element(browser, "#metrics-note").text == "Note: no labelled samples."
    assert "Nothing was selected" in element(browser, "#selection-note").text
    assert "No history" in element(browser, "#curves").text
    assert not element(browser, "#confusion-section").is_displayed()
    assert not element(browser, "#selection-body").is_displayed()


@pytest.mark.parametrize("width", [320, 400, 800])
def test_a_narrow_window_does_not_scroll_sideways(open_page: Open, width: int) -> None:
    browser = open_page(also=["a-very-long-folder-name-without-any-break/" + 80 * "n" + ".png"])
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_script("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_dark_is_dark_and_light_is_light(open_page: Open) -> None:
    browser = open_page()
    brightness = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as image:
            brightness[scheme] = sum(image.convert("L").resize((1, 1)).tobytes())
    assert brightness["light"] > 200
    assert brightness["dark"] < 60
