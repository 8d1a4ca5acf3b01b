"""The report of a data set of the challenge's size with 16 encoders, all simulated: size, seconds until it answers, time of a slider's step.

python benchmarks/report.py [folder]     # needs Chromium; keeps the run in the folder
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from unit.report.simulated import SimulatedRun

ENCODERS, STEPS = 16, 100
ENSEMBLES = {"all": list(range(ENCODERS)), "best_two": [14, 15], "odd": list(range(1, ENCODERS, 2))}
# From the event until its frame, drawings included, has been made.
ONE_STEP = """async value => {
    const slider = document.getElementById("alpha"), started = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    const handled = performance.now() - started;
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return [handled, performance.now() - started];
}"""


def measure(page: Page, path: Path) -> None:
    page.goto(path.as_uri())
    page.wait_for_function("performance.getEntriesByName('interactive').length")
    interactive_ms = page.evaluate("performance.getEntriesByName('interactive')[0].startTime")
    page.evaluate("document.getElementById('explorer').scrollIntoView()")
    page.wait_for_selector("#explored")
    page.wait_for_timeout(1000)
    steps = np.array([page.evaluate(ONE_STEP, value) for value in np.linspace(0.05, 0.5, STEPS).tolist()])
    (handled, drawn), (_, slowest) = np.median(steps, axis=0), steps.max(axis=0)
    print(f"{path.stat().st_size / 1e6:.1f} MB; answers after {interactive_ms / 1e3:.2f} s")
    print(f"a step of a slider: all folds scored after {handled:.1f} ms, drawn after {drawn:.1f} ms (median of {STEPS}; slowest {slowest:.1f} ms)")


def main(folder: Path) -> None:
    started = time.perf_counter()
    run = SimulatedRun(folder / "run", ENCODERS, 1, ENSEMBLES, pictured=2456, method="greedy")
    made = time.perf_counter()
    path = run.report()
    print(f"{len(run.clips)} clips, {ENCODERS} encoders, {len(run.ensembles)} ensembles: run {made - started:.0f} s, report {time.perf_counter() - made:.0f} s")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        measure(browser.new_context(viewport={"width": 1440, "height": 900}, offline=True).new_page(), path)
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
