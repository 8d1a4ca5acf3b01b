// Threshold sensitivity, calibration and learning curves of the chosen ensemble.
function showSensitivity() {
  const found = result().sensitivity, folds = found.folds.map(fold => `fold ${fold}`);
  byId("sensitivity-said").textContent = found.conclusion;
  chart("optima-chart", `Best thresholds of ${folds.length} folds; the numbers stand in the table below.`, () => ({
    traces: folds.map((name, index) => ({type: "scatter", mode: "markers", name, x: [found.beta[index]], y: [found.alpha[index]], marker: {symbol: SYMBOLS[index % 6], size: 13, color: series(index)}})),
    layout: {height: 360, margin: {l: 48, r: 12, t: 60, b: 44}, xaxis: {title: {text: "β"}, range: [0, 1]}, yaxis: {title: {text: "α"}, range: [0, 1]}},
  }));
  const rows = Object.entries(found.nulls).flatMap(([name, tests]) => Object.entries(tests).map(([statistic, test]) => ({label: `${statistic.replaceAll("_", " ")}<br>${name.replaceAll("_", " ")}`, observed: found.statistics[statistic], ...test})));
  chart("nulls-chart", "Spread of the folds' thresholds beside its range without personal style; the numbers stand in the table below.", () => ({
    traces: [
      {type: "bar", orientation: "h", name: "95 % without personal style", y: rows.map(row => row.label), base: rows.map(row => row.null_low), x: rows.map(row => row.null_high - row.null_low), marker: {color: colour("line"), line: {color: colour("faint"), width: 1}}, hovertemplate: "%{base:.3f} to %{x:.3f}<extra></extra>"},
      {type: "scatter", mode: "markers", name: "observed", y: rows.map(row => row.label), x: rows.map(row => row.observed), marker: {symbol: "diamond", size: 11, color: series(1)}, hovertemplate: "%{x:.3f}<extra>observed</extra>"},
    ],
    layout: {height: 90 + 44 * rows.length, yaxis: {autorange: "reversed", tickfont: {size: 11}}, xaxis: {rangemode: "tozero"}, margin: {l: 60, r: 8, t: 40, b: 44}},
  }));
  body("sensitivity").replaceChildren(saved("Score of each fold's thresholds (rows) on every fold (columns), fused by the weights for new clips"), folded("The comparisons as a table", saved("Spread of the folds' thresholds, and what it is without personal style")));
}

function showCalibration() {
  const fused = result().calibration;
  const bins = fused.bins.filter(bin => bin.count), most = Math.max(...bins.map(bin => bin.count));
  chart("calibration-chart", `Reliability of ${shown.ensemble}: expected calibration error ${fixed(fused.ece)}.`, () => ({
    traces: [
      {type: "scatter", mode: "lines", name: "calibrated", x: [0, 1], y: [0, 1], line: {color: colour("faint"), dash: "dot"}, hoverinfo: "skip"},
      {type: "scatter", mode: "lines+markers", name: shown.ensemble, x: bins.map(bin => bin.probability), y: bins.map(bin => bin.share), text: bins.map(bin => bin.count), marker: {size: bins.map(bin => 7 + 15 * Math.sqrt(bin.count / most)), color: series(0)}, line: {color: series(0)}, hovertemplate: "said %{x:.3f}, was %{y:.3f}, %{text} of them<extra></extra>"},
    ],
    layout: {height: 400, margin: {l: 48, r: 12, t: 40, b: 44}, xaxis: {title: {text: "probability (mean of the bin)"}, range: [0, 1]}, yaxis: {title: {text: "share in the label"}, range: [0, 1]}},
  }));
  const members = result().members.map(member => [member, content.members[member].calibration.ece, content.members[member].calibration.brier]);
  body("calibration").replaceChildren(
    table("Calibration", ["", "ECE", "Brier"], [[`${shown.ensemble}, fused`, fused.ece, fused.brier], ...members]),
    folded("The bins as a table", table(`Bins of ${shown.ensemble}`, ["probability", "share in the label", "probabilities"], bins.map(bin => [fixed(bin.probability), bin.share, bin.count]))));
}

function showCurves() {
  const {members} = result(), chosen = byId("curves-member").value;
  options(byId("curves-member"), members.map(member => [member, member]), members.includes(chosen) ? chosen : members[0]);
  const member = byId("curves-member").value, curves = content.members[member].curves;
  const lines = kind => curves.filter(curve => (curve.name.includes("loss") ? "loss" : "stop") === kind);
  drawCurves("loss-chart", "loss", lines("loss"));
  drawCurves("stop-chart", "stopping Score", lines("stop"));
  const spread = Object.entries(content.members[member].seed_spread).map(([fold, value]) => `fold ${fold} ${fixed(value)}`);
  const over = spread.length ? `Standard deviation over seeds of the best Score on the clips that stop the training: ${spread.join(", ")}.` : "";
  byId("curves-said").textContent = curves.length ? over : `${member} was trained without epochs, or its curves are not here.`;
}

function drawCurves(id, title, curves) {
  byId(id).hidden = !curves.length;
  if (!curves.length) return;
  const folds = [...new Set(curves.map(curve => curve.fold))], names = [...new Set(curves.map(curve => curve.name))], seeds = new Set(curves.map(curve => curve.seed));
  chart(id, `${title} by epoch, ${curves.length} curves.`, () => ({
    traces: curves.map(curve => ({
      type: "scatter", mode: "lines", name: `${curve.name.replaceAll("_", " ")}, fold ${curve.fold}${seeds.size > 1 ? `, seed ${curve.seed}` : ""}`, x: curve.values.map((_, epoch) => epoch + 1), y: curve.values,
      line: {color: series(folds.indexOf(curve.fold)), dash: DASHES[names.indexOf(curve.name) % 6], width: 1.6},
    })),
    layout: {height: 420, margin: {l: 48, r: 12, t: 110, b: 44}, xaxis: {title: {text: "epoch"}}, yaxis: {title: {text: title}}, legend: {entrywidthmode: "fraction", entrywidth: 0.49}, showlegend: curves.length <= 12},
  }));
}

byId("curves-member").addEventListener("change", showCurves);
