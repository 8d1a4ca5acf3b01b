"""The report: one page that opens from disk with no network."""

import base64
import hashlib
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from blemore.report.published import PUBLISHED
from blemore.settings import SCRIPTS

ASSETS = SCRIPTS.parent / "report"
# In this order, as one script.
SCRIPT_FILES = ("decide.js", "dom.js", "sections.js", "explorer.js", "diagnosis.js", "clips.js", "main.js")


def render(scores: pd.DataFrame, **more: Any) -> str:
    """The page as HTML; every text is escaped, also in the embedded JSON, and only the page's own two scripts may run.

    Args:
        scores: from `score_table`.
        more: the other names of the template.

    Raises:
        ValueError: if a number in the embedded data is not finite, which JSON cannot say.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=FileSystemLoader(ASSETS))
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    plotly, script = get_plotlyjs(), own_script()
    return environment.get_template("template.html").render(
        scores=scores.to_dict("records"),
        published=PUBLISHED,
        tested=bool(scores["test_Score"].notna().any()),
        css=_asset("page.css"),
        plotly=plotly,
        script=script,
        policy=policy(plotly, script),
        **more,
    )


def own_script() -> str:
    """The page's own code, in a scope of its own."""
    return '(() => {\n"use strict";\n' + "\n".join(map(_asset, SCRIPT_FILES)) + "})();\n"


def policy(*scripts: str) -> str:
    """A content security policy under which nothing is loaded and no script runs but the given ones."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def _asset(name: str) -> str:
    return (ASSETS / name).read_text()
