"""The page in a real browser, from disk and without a network, against Python."""

import os
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright
from unit.fusion.cases import degenerate, random_truth
from unit.report.simulated import SimulatedRun

from blemore.fusion.decode import TYPES
from blemore.fusion.metrics import presence_accuracy, salience_accuracy
from blemore.fusion.postprocess import decode
from blemore.fusion.thresholds import GRID, grid_scores, search_grid
from blemore.fusion.weights import fuse
from blemore.report.content import type_numbers
from blemore.report.page import ASSETS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = "</script><img src=x onerror=alert(1)>"
SECTIONS = ("scores", "protocols", "explorer", "weights", "confusion", "sensitivity", "calibration", "curves", "tables", "clips", "run")


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium: install Debian's chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield started
        started.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return SimulatedRun(tmp_path_factory.mktemp("simulated"), encoders=2, every=8, ensembles={"all": [0, 1]}, names={5: HOSTILE}, pictured=3)


@pytest.fixture(scope="module")
def path(run):
    return run.report(embed_faces=True)


@pytest.fixture
def page(browser, path):
    """The page opened at desktop width; whatever it complains about, or asks a network for, fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True)
    opened, said = context.new_page(), []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: said.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    opened.goto(path.as_uri())
    opened.wait_for_function("performance.getEntriesByName('interactive').length")
    yield opened
    context.close()
    assert said == []


def fill_every_section(page):
    for section in SECTIONS:
        page.evaluate("id => document.getElementById(id).scrollIntoView()", section)
        page.wait_for_timeout(150)


def set_number(page, name, value):
    field = page.locator(f"#{name}-number")
    field.fill(repr(value))
    field.dispatch_event("change")


def explored(page):
    """The exact numbers of the explorer's table: ACC_P, ACC_S and Score of each fold, then of all clips."""
    rows = page.eval_on_selector_all("#explored tbody tr", "rows => rows.map(row => [2, 3, 4].map(column => Number(row.cells[column].dataset.value)))")
    return np.array(rows[:-2] + rows[-1:])


def by_python(probabilities, truth, fold, alpha, beta):
    decided = decode(probabilities, alpha, beta)
    parts = [fold == one for one in np.unique(fold)] + [np.ones(len(fold), bool)]
    scores = [(presence_accuracy(decided[clips], truth[clips]), salience_accuracy(decided[clips], truth[clips])) for clips in parts]
    return np.array([(presence, salience, 0.5 * presence + 0.5 * salience) for presence, salience in scores])


def probabilities_of(run, members, weights):
    """What the stores hold: float32, and nothing for one clip of the first encoder."""
    stored = run.data.probabilities.astype(np.float32).astype(np.float64)
    stored[0, 3] = np.nan
    return fuse(stored[members], weights)


@pytest.mark.parametrize(("ensemble", "members", "weights"), [("all", [0, 1], [0.5, 0.5]), ("encoder_00", [0], [1.0])])
def test_the_explorer_scores_as_python_does_at_fifty_random_thresholds(page, run, ensemble, members, weights):
    page.select_option("#ensemble", ensemble)
    page.evaluate("document.getElementById('explorer').scrollIntoView()")
    page.wait_for_selector("#explored")
    probabilities = probabilities_of(run, members, weights)
    rng = np.random.default_rng(0)
    points = [*rng.uniform(0, [0.6, 0.9], (44, 2)).tolist(), *rng.choice(GRID, (6, 2)).tolist()]
    for alpha, beta in points:
        set_number(page, "alpha", alpha)
        set_number(page, "beta", beta)
        assert np.array_equal(explored(page), by_python(probabilities, run.data.truth, run.data.fold, alpha, beta)), (alpha, beta)


def test_the_best_thresholds_of_each_fold_are_those_of_the_grid_search(page, run):
    page.evaluate("document.getElementById('explorer').scrollIntoView()")
    page.wait_for_selector("#explored")
    shown = page.eval_on_selector_all(
        "#explored tbody tr", "rows => rows.slice(0, -2).map(row => [5, 6, 7].map(column => Number(row.cells[column].dataset.value)))"
    )
    probabilities, fold = probabilities_of(run, [0, 1], [0.5, 0.5]), run.data.fold
    found = [search_grid(probabilities[fold == one], run.data.truth[fold == one]) for one in np.unique(fold)]
    assert shown == [[one.alpha, one.beta, one.score] for one in found]
    page.get_by_role("button", name="the best of fold 1").click()
    expect(page.locator("#alpha-number")).to_have_value(f"{found[1].alpha:.6f}".rstrip("0"))
    assert explored(page)[1, 2] == found[1].score


def test_sliders_move_by_the_keyboard(page):
    page.evaluate("document.getElementById('explorer').scrollIntoView()")
    page.wait_for_selector("#explored")
    set_number(page, "alpha", 0.2)
    page.focus("#alpha")
    page.keyboard.press("ArrowRight")
    assert float(page.input_value("#alpha")) == pytest.approx(0.205)
    assert page.input_value("#alpha-number") == "0.205"
    expect(page.locator("#explorer-said")).to_contain_text("At α 0.205")


@pytest.mark.parametrize("seed", range(20))
def test_javascript_decides_degenerate_probabilities_as_python_does(browser, seed):
    rng = np.random.default_rng(seed)
    probabilities, truth = degenerate(rng, 40).astype(np.float64), random_truth(rng, 40)
    alpha, beta = rng.choice([*GRID, 0.0, 0.1, 0.25, 0.5, 1.0, -1.0], 2).tolist()
    page = browser.new_page()
    script = (ASSETS / "decide.js").read_text()
    code = """([flat, truth, alpha, beta]) => {
        const largest = twoLargest(Float64Array.from(flat), truth.length), clips = truth.map((_, clip) => clip);
        return [clips.map(clip => decideClip(largest, clip, alpha, beta)), surface(largest, clips, truth)];
    }"""
    decided, surface = page.evaluate(
        f"argument => {{ {script}\n return ({code})(argument); }}", [probabilities.ravel().tolist(), type_numbers(truth).tolist(), alpha, beta]
    )
    page.close()
    assert np.array_equal(TYPES[decided], decode(probabilities, alpha, beta))
    presence, salience = grid_scores(probabilities, truth)
    assert np.array_equal(surface, 0.5 * presence + 0.5 * salience)


def test_filters_show_the_clips_they_say(page, run):
    page.evaluate("document.getElementById('clips').scrollIntoView()")
    page.wait_for_selector("#clip-list")
    truth, actor, fold = run.data.truth, run.data.actor, run.data.fold
    count = lambda wanted: f"{int(wanted.sum())} of {len(truth)} clips"  # noqa: E731
    said = page.locator("#clips-said")
    expect(said).to_contain_text(count(np.ones(len(truth), bool)))
    page.select_option("#clips-true", label="hap")
    expect(said).to_contain_text(count(truth[:, 3] > 0))
    page.select_option("#clips-actor", "A4")
    expect(said).to_contain_text(count((truth[:, 3] > 0) & (actor == "A4")))
    page.select_option("#clips-actor", "")
    page.select_option("#clips-fold", "2")
    expect(said).to_contain_text(count((truth[:, 3] > 0) & (fold == 2)))
    page.select_option("#clips-fold", "")
    page.select_option("#clips-true", "")
    page.fill("#clips-name", "CLIP_0001")
    expect(said).to_contain_text("1 of")


def test_outcomes_follow_the_thresholds_of_the_sliders(page, run):
    page.evaluate("document.getElementById('explorer').scrollIntoView()")
    page.wait_for_selector("#explored")
    set_number(page, "alpha", 0.12)
    set_number(page, "beta", 0.3)
    page.select_option("#decider", label="the sliders below")
    page.evaluate("document.getElementById('clips').scrollIntoView()")
    page.select_option("#clips-outcome", "blend missed")
    decided, truth = decode(probabilities_of(run, [0, 1], [0.5, 0.5]), 0.12, 0.3), run.data.truth
    missed = ((truth > 0).sum(axis=1) == 2) & ((decided > 0).sum(axis=1) == 1)
    assert missed.any()
    expect(page.locator("#clips-said")).to_contain_text(f"{missed.sum()} of {len(truth)} clips, decided by explorer")


def test_a_clip_shows_its_pictures_and_every_encoder(page, run):
    page.evaluate("document.getElementById('clips').scrollIntoView()")
    page.get_by_role("button", name=run.pictured[0]).click()
    clip = page.locator("#clip")
    expect(clip.get_by_role("img")).to_have_count(3)
    assert clip.locator("img").evaluate_all("images => Promise.all(images.map(image => image.decode().then(() => image.naturalWidth)))") == [336, 160]
    rows = clip.locator("tbody tr").evaluate_all("rows => rows.map(row => [...row.cells].slice(2).map(cell => Number(cell.dataset.value)))")
    stored = run.data.probabilities.astype(np.float32)
    assert rows[1:] == stored[:, 0].tolist()
    assert rows[0] == probabilities_of(run, [0, 1], [0.5, 0.5])[0].tolist()
    page.get_by_role("button", name="A0_clip_0003").click()
    assert clip.locator("tbody tr").nth(1).locator("td").all_inner_texts()[1:] == ["–"] * 6


def test_the_spread_over_seeds_stands_below_the_learning_curves(page, run):
    page.evaluate("document.getElementById('curves').scrollIntoView()")
    page.wait_for_selector("#curves-said:not(:empty)")
    folds = ", ".join(f"fold {fold} 0.000" for fold in np.unique(run.data.fold))
    assert page.text_content("#curves-said") == f"Standard deviation over seeds of the best Score on the clips that stop the training: {folds}."


def test_a_hostile_name_is_only_text(page):
    page.evaluate("document.getElementById('clips').scrollIntoView()")
    page.fill("#clips-name", "<img")
    page.get_by_role("button", name=HOSTILE).click()
    assert page.locator("#clip h3").inner_text() == HOSTILE


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_no_text_overflows(page, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    fill_every_section(page)
    page.locator("#clip-list button").first.click()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # What is wide scrolls in a box of its own.
    outside = "[...document.querySelectorAll('body *')].filter(one => !one.closest('.wide, pre, svg, .skip'))"
    assert page.evaluate(f"{outside}.filter(one => one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80))") == []
    texts = f"{outside}.filter(one => one.matches('p, li, h1, h2, h3, label, button, summary, figcaption, caption, legend'))"
    assert page.evaluate(f"{texts}.filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth).map(one => one.outerHTML.slice(0, 80))") == []


def test_everything_has_a_name_for_who_does_not_see_it(page):
    fill_every_section(page)
    page.locator("#clip-list button").first.click()
    unnamed = """[...document.querySelectorAll('input, select, button, a, [role=img], img, section, [role=region], table')].filter(one =>
        !(['aria-label', 'aria-labelledby', 'alt'].some(name => one.getAttribute(name)) || one.labels?.length || one.textContent.trim()))
        .map(one => one.outerHTML.slice(0, 100))"""
    assert page.evaluate(unnamed) == []
    assert page.locator("#scores-chart .main-svg").count()


def test_the_first_stop_of_the_keyboard_skips_to_the_scores(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


def test_faces_are_embedded_only_where_asked_for_and_the_page_says_which(run, path):
    assert "The faces of 3 clips are embedded" in path.read_text()
    without = run.report().read_text()
    assert "No faces are embedded" in without
    assert '"faces":"' not in without
    assert '"wave":"' in without
    silent = run.report(embed_sound=False).read_text()
    assert '"wave":"' not in silent
    assert "No sound is shown." in silent
