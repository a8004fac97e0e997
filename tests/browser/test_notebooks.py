"""Do the notebooks work in a real browser? JupyterLab as `make lab` starts it, in Chromium: every cell, a slider, no stranger asked."""

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from patience import TimeRanOut, left

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PICTURES = ROOT / "results" / "browser"
TOKEN = secrets.token_hex(16)
PATIENCE = 600
"""Seconds that a notebook may take on a busy machine."""
REST = 20
"""Seconds after which an idle kernel is believed to have nothing more to draw."""
ERROR = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'
BENIGN = re.compile(r"favicon|ResizeObserver|Autofill|downloadable font|GroupMarkerNotSet")
pytestmark = pytest.mark.browser


def drained(pipe):
    """Read what the server says until it ends, so that it never waits for a reader."""
    with contextlib.suppress(ValueError):  # the pipe is closed under the reader's hands
        for _ in pipe:
            pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with started(tmp_path_factory.mktemp("jupyter")) as address:
        yield address


@contextlib.contextmanager
def started(own):
    """Address of a JupyterLab that is started as the Makefile's `lab` starts it.

    own : an empty folder for its settings.
    """
    recipe = (ROOT / "Makefile").read_text().split("\nlab: ")[1].split("\n\n")[0]
    options = re.findall(
        r"--(?:ServerApp|LabApp)\.\w+=\S+", recipe.replace('"$(CURDIR)"', str(ROOT))
    )
    assert len(options) >= 4, "the Makefile's recipe is not read"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ServerApp.port=0",
        "--allow-root",
    ]
    command += [
        *options,
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
    ]
    unsaved = own / "settings" / "@jupyterlab" / "docmanager-extension"
    unsaved.mkdir(parents=True)
    (unsaved / "plugin.jupyterlab-settings").write_text('{"autosave": false}')
    home = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(own),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
    }
    with subprocess.Popen(command, cwd=ROOT, env=home, stderr=subprocess.PIPE, text=True) as lab:
        try:
            for line in lab.stderr:
                found = re.search(r"http://(?:localhost|127\.0\.0\.1):(\d+)/", line)
                if found:
                    break
            else:
                pytest.fail("JupyterLab did not start")
            threading.Thread(target=drained, args=(lab.stderr,), daemon=True).start()
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            lab.terminate()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        yield chromium
        chromium.close()


class Seen:
    """What a page said and asked for."""

    def __init__(self, page, server):
        self.errors, self.strangers = [], []
        page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("response", lambda came: came.status >= 500 and self.errors.append(came.url))
        page.on("request", lambda asked: self._asked(asked.url, server))

    def _asked(self, url, server):
        if not url.startswith((server, server.replace("http", "ws"), "data:", "blob:")):
            self.strangers.append(url)

    def check(self):
        assert not [text for text in self.errors if not BENIGN.search(text)]
        assert not self.strangers


def opened(browser, server, name):
    """(page, what it said) of a notebook, with all its cells run."""
    page, seen = shown(browser, server, f"notebooks/{name}")
    command(page, "notebook:run-all-cells")
    return page, seen


def shown(browser, server, path):
    """(page, what it said) of a notebook whose kernel waits; `path` below the root of the server."""
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    seen = Seen(page, server)
    page.goto(f"{server}/lab/tree/{path}?token={TOKEN}&reset", timeout=120_000)
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=120_000)
    page.wait_for_function(KERNEL_IDLE, timeout=120_000)
    return page, seen


def command(page, name):
    """Run a command of JupyterLab, as its menus do, without waiting for its end."""
    page.evaluate(f"{{window.jupyterapp.commands.execute('{name}')}}")


KERNEL = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
KERNEL_IDLE = f"{KERNEL}?.status === 'idle'"
COUNTS = """Array.from(window.jupyterapp.shell.currentWidget.content.widgets)
  .filter(c => c.model.type === 'code').map(c => c.model.sharedModel.execution_count)"""
"""How often each cell of code was run; null for one that is waiting."""


def waited(page):
    """Return when every cell has run, or one has failed."""
    end = time.monotonic() + min(PATIENCE, left())
    while time.monotonic() < end:
        page.wait_for_timeout(500)
        if page.locator(ERROR).count():
            return
        counts = page.evaluate(COUNTS)
        if counts and all(counts) and page.evaluate(KERNEL_IDLE):
            return
    raise TimeRanOut(f"not all cells ran in {PATIENCE} s: {page.evaluate(COUNTS)}")


def changed(page, picture, before):
    """Return when the picture is another; a kernel that rests for `REST` s has drawn all it will."""
    end, idle = time.monotonic() + min(PATIENCE, left()), 0.0
    while time.monotonic() < end:
        if picture.get_attribute("src") != before:
            return
        idle = idle + 0.5 if page.evaluate(KERNEL_IDLE) else 0.0
        assert idle < REST, "the slider moved and the figure did not"
        page.wait_for_timeout(500)
    raise TimeRanOut(f"the kernel was busy for {PATIENCE} s after the slider moved")


def pictured(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(browser, server, path):
    page, seen = opened(browser, server, path.name)
    try:
        waited(page)
        pictured(page, path.stem)
        assert page.locator(ERROR).all_inner_texts() == []
        seen.check()
    finally:
        page.evaluate(f"{KERNEL}?.shutdown()")
        page.close()


def test_a_slider_moves_numbers_and_figure(browser, server):
    page, seen = opened(browser, server, "05_explore.ipynb")
    try:
        waited(page)
        page.evaluate("window.jupyterapp.shell.currentWidget.content.scrollToItem(1)")
        table = page.locator(".jp-OutputArea-output table", has_text="accuracy").first
        moved(page, table)
        pictured(page, "slider")
        assert page.get_by_text("Jupyter news").count() == 0
        seen.check()
    finally:
        page.evaluate(f"{KERNEL}?.shutdown()")
        page.close()


def moved(page, table):
    """Move the slider of ADC bits to the left, by hand, until figure and table are others."""
    slider = page.locator(".widget-hslider", has_text="adc.bits").first
    slider.wait_for(timeout=60_000)
    picture = page.locator(".jp-OutputArea-output .widget-image").first
    before = table.inner_text(), picture.get_attribute("src")
    handle = slider.locator(".noUi-handle, .ui-slider-handle").first
    number, end = slider.locator(".widget-readout"), time.monotonic() + REST
    was = number.inner_text()
    while number.inner_text() == was:  # a cell that was just run may take the focus away
        assert time.monotonic() < end, "the slider does not move"
        handle.press("ArrowLeft")
        page.wait_for_timeout(500)
    for _ in range(3):  # one bit less may change no answer: 4 bits do
        handle.press("ArrowLeft")
    changed(page, picture, before[1])
    assert table.inner_text() != before[0]


def test_from_make_lab_to_a_moved_slider(browser, tmp_path, capsys):
    begun = time.monotonic()
    with started(tmp_path) as address:
        page, _ = shown(browser, address, "notebooks/05_explore.ipynb")
        command(page, "notebook:run-cell-and-select-next")  # words
        command(page, "notebook:run-cell-and-select-next")
        table = page.locator(".jp-OutputArea-output table", has_text="accuracy").first
        table.wait_for(timeout=min(PATIENCE, left()) * 1000)
        page.wait_for_function(KERNEL_IDLE, timeout=min(PATIENCE, left()) * 1000)
        moved(page, table)
        seconds = time.monotonic() - begun
        page.close()
    with capsys.disabled():
        load = os.getloadavg()[0]
        print(f"\nfrom `make lab` to a moved slider: {seconds:.0f} s at load {load:.1f}")


def test_nobody_enters_without_the_token(server):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{server}/api/contents", timeout=30)
    assert refused.value.code == 403
    refused.value.close()
    asked = urllib.request.Request(
        f"{server}/api/contents", headers={"Authorization": f"token {TOKEN}"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        names = {each["name"] for each in json.load(answer)["content"]}
    assert {"notebooks", "papers"} <= names
