"""The page in a real browser: a photo goes in, labels come out, and nobody else is asked."""

from __future__ import annotations

import shutil

import httpx
import pytest
from PIL import Image
from running import CARD, running, write_bundle

SWITCHES = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
NOTHING_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("page") / "bundle")


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    chosen = webdriver.ChromeOptions()
    chosen.binary_location = chromium
    for switch in (*SWITCHES, NOTHING_ELSE):
        chosen.add_argument(switch)
    chosen.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(chosen, webdriver.ChromeService(driver)) as browser:
        yield browser


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "sky.png"
    Image.new("RGB", (60, 40), "blue").save(path)
    return path


def find(browser, name):
    return browser.find_element("id", name)


def wait_for_status(browser, words):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 30).until(lambda _: words in find(browser, "status").text)


def choose(browser, path):
    find(browser, "file").send_keys(str(path))


def test_the_headers_keep_everything_else_out(folder):
    with running(folder) as server:
        answer = httpx.get(server.address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "//" not in answer.text.replace("<!doctype", "")


def test_a_photo_gets_its_labels(browser, folder, photo):
    with running(folder) as server:
        browser.get(server.address)
        choose(browser, photo)
        wait_for_status(browser, "blue, ")
        assert "colours, version 1" in find(browser, "status").text
        rows = find(browser, "labels").find_elements("tag name", "li")
        assert [row.text.split()[0] for row in rows] == ["blue", "red", "green"]
        bars = find(browser, "labels").find_elements("tag name", "progress")
        values = [float(bar.get_attribute("value")) for bar in bars]
        assert sum(values) == pytest.approx(1, abs=1e-4)
        assert [bar.accessible_name for bar in bars] == ["blue", "red", "green"]
        assert find(browser, "photo").get_attribute("naturalWidth") == "60"
        assert find(browser, "photo").accessible_name == "sky.png"
        assert find(browser, "card").get_attribute("textContent") == CARD
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_what_is_no_photo_is_told(browser, folder, photo, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("no photo")
    with running(folder) as server:
        browser.get(server.address)
        choose(browser, text)
        wait_for_status(browser, "JPEG, PNG, WEBP")
        assert find(browser, "status").get_attribute("class") == "error"
        choose(browser, photo)
        wait_for_status(browser, "blue, ")


def test_the_keyboard_reaches_everything(browser, folder):
    from selenium.webdriver import ActionChains, Keys

    with running(folder) as server:
        browser.get(server.address)
        reached = []
        for _ in range(2):
            ActionChains(browser).send_keys(Keys.TAB).perform()
            element = browser.switch_to.active_element
            reached.append((element.tag_name, element.accessible_name))
        assert reached[0] == ("input", "Drop a photo here, or choose one")
        assert reached[1][0] == "summary"
        ActionChains(browser).send_keys(Keys.ENTER).perform()
        assert find(browser, "about").get_attribute("open")
        assert find(browser, "card").text.strip() == CARD.strip()


def test_a_token_is_asked_for(browser, folder, photo):
    from selenium.webdriver import Keys

    with running(folder, token="s3cret") as server:
        browser.get(server.address)
        choose(browser, photo)
        wait_for_status(browser, "Authorization")
        find(browser, "token").send_keys("s3cret", Keys.TAB)
        wait_for_status(browser, "blue, ")
        assert find(browser, "card").get_attribute("textContent") == CARD


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser, folder, scheme):
    with running(folder) as server:
        feature = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
        browser.get(server.address)
        script = "return getComputedStyle(document.getElementById('drop')).backgroundColor"
        shade = browser.execute_script(script)
        channel = int(shade.split("(")[1].split(",")[0])
        assert (channel < 128) == (scheme == "dark")
