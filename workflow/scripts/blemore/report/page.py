"""The report: one page that opens from disk with no network."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined

from blemore.report.published import PUBLISHED

TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Blended emotions: report</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 0 auto; padding: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #8884; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; font-weight: 600; }
td.zero { opacity: .35; }
pre { overflow-x: auto; padding: .5rem; border: 1px solid #8884; }
</style>
</head>
<body>
<h1>Blended emotions: report</h1>
<p>{{ note }}</p>
{% if left_out %}<p><strong>{{ used|length }} of {{ used|length + left_out|length }} encoders took part; left out: {{ left_out|join(", ") }}.</strong></p>{% endif %}

<h2>Scores</h2>
<div class="wide" role="region" aria-label="Scores" tabindex="0">
<table>
<thead><tr><th scope="col">encoder or ensemble</th><th scope="col">ACC_P</th><th scope="col">ACC_S</th><th scope="col">Score</th>
<th scope="col">nested ACC_P</th><th scope="col">nested ACC_S</th><th scope="col">nested Score</th>{% if tested %}<th scope="col">test ACC_P / ACC_S / Score</th>{% endif %}<th scope="col">clips missing</th>
<th scope="col">published ACC_P / ACC_S / Score</th></tr></thead>
<tbody>
{% for row in scores %}<tr><th scope="row" title="{{ row.members }}">{{ row.name }}</th>
{% for measure in ("ACC_P", "ACC_S", "Score", "nested_ACC_P", "nested_ACC_S", "nested_Score") %}<td>{{ "%.3f"|format(row[measure]) }} ± {{ "%.3f"|format(row[measure + "_std"]) }}</td>
{% endfor %}{% if tested %}<td>{{ "%.3f / %.3f / %.3f"|format(row.test_ACC_P, row.test_ACC_S, row.test_Score) }}</td>{% endif %}<td>{{ row.missing }}</td>
<td>{% if row.name in published %}{% set p = published[row.name] %}<span title="{{ p.source }}">{{ "%.3f"|format(p.presence) }} / {{ "%.3f"|format(p.salience) }} / {{ "%.3f"|format(p.score) }}</span>{% endif %}</td></tr>
{% endfor %}
{% for name, baseline in baselines.items() %}<tr><th scope="row">trivial: {{ name|replace("_", " ") }}</th>
<td>{{ "%.3f"|format(baseline.ACC_P) }}</td><td>{{ "%.3f"|format(baseline.ACC_S) }}</td><td>{{ "%.3f"|format(baseline.Score) }}</td>{% if tested %}<td></td>{% endif %}<td></td><td></td><td></td><td></td><td></td></tr>
{% endfor %}
</tbody></table></div>
<p>Mean ± standard deviation over folds. ACC_P, ACC_S and Score as the paper reports them: weights and thresholds are <em>tuned on the fold that they
are scored on</em>. Nested: everything is chosen on the other folds{% if epochs_on_scored_fold %}, except the epoch, which
<em>classify.early_stopping: paper</em> chooses on the scored fold{% endif %}. Published numbers are of the protocol of their source, on BLEMORE.</p>

{% for ensemble in ensembles %}
<h2>{{ ensemble.name }}</h2>
{% for note in ensemble.notes %}<p>{{ note }}</p>
{% endfor %}{% for caption, table in ensemble.tables.items() %}
<div class="wide" role="region" aria-label="{{ ensemble.name }}: {{ caption }}" tabindex="0">
<table><caption>{{ caption }}</caption>
<thead><tr>{% for column in table.columns %}<th scope="col">{{ column }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in table.rows %}<tr>{% for cell in row %}<td{% if cell in ("0", "0.000") %} class="zero"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% endfor %}{% endfor %}

<h2>Clips by status</h2>
<div class="wide" role="region" aria-label="Clips by status" tabindex="0"><table>
<thead><tr><th scope="col">encoder</th>{% for status in statuses %}<th scope="col">{{ status }}</th>{% endfor %}</tr></thead>
<tbody>{% for encoder, counts in status_counts.items() %}<tr><th scope="row">{{ encoder }}</th>{% for status in statuses %}<td>{{ counts.get(status, 0) }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>

<h2>Settings</h2>
<p>The whole configuration of the run is in <code>results/config.yaml</code>.</p>
<pre tabindex="0">{{ settings }}</pre>
</body>
</html>
"""


def cells(table: pd.DataFrame) -> dict[str, Any]:
    """A table as strings, numbers with three decimals."""
    rows = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row] for row in table.itertuples(index=False)]
    return {"columns": [str(column) for column in table.columns], "rows": rows}


def render(scores: pd.DataFrame, ensembles: Sequence[Mapping[str, Any]], **more: Any) -> str:
    """The page as HTML; every text is escaped.

    Args:
        scores: from `score_table`.
        ensembles: name, notes and tables (caption -> `cells`) of each ensemble that is shown in full.
        more: the other names of the template.
    """
    tested = bool(scores["test_Score"].notna().any())
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(TEMPLATE).render(scores=scores.to_dict("records"), ensembles=ensembles, published=PUBLISHED, tested=tested, **more)
