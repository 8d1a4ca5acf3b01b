// The thresholds, made touchable.
const PARTS = ["ACC_P", "ACC_S", "Score"];
const surfacesOf = () => once(`surfaces ${shown.ensemble}`, () => foldClips.map(clips => surface(largest(), clips, truth)));
const optimaOf = () => once(`optima ${shown.ensemble}`, () => surfacesOf().map(optimum));
const surfaceId = index => `surface-${index}`;
let announcing = 0, waiting = false;

function scoreAt(alpha, beta) {
  const found = largest();
  return [...foldClips, clipNumbers].map(clips => measure(clips, truth, clip => decideClip(found, clip, alpha, beta)));
}

function showExplorer() {
  const optima = optimaOf();
  const rows = content.folds.map((fold, index) => {
    const {alpha, beta, Score} = optima[index];
    const go = element("button", {type: "button", onclick: () => setThresholds(alpha, beta), "aria-label": `Set α to ${fixed(alpha)} and β to ${fixed(beta)}, the best of fold ${fold}`}, "set");
    return [`fold ${fold}`, foldClips[index].length, NaN, NaN, NaN, alpha, beta, Score, NaN, go];
  });
  rows.push(["mean of folds", truth.length, NaN, NaN, NaN, "", "", "", "", ""], ["all clips", truth.length, NaN, NaN, NaN, "", "", "", "", ""]);
  body("explorer").replaceChildren(table(`Scores of ${shown.ensemble} at these thresholds`, ["", "clips", ...PARTS, "its best α", "its best β", "Score there", "lost by these", "sliders"], rows, "explored"));
  byId("explored").tBodies[0].rows[content.folds.length].className = "sum";
  byId("surfaces").replaceChildren(...content.folds.map((_, index) => element("div", {class: "chart", id: surfaceId(index)})));
  drawSurfaces();
  setThresholds(shown.alpha, shown.beta);
}

function drawSurfaces() {
  const surfaces = surfacesOf(), optima = optimaOf(), values = surfaces.flat(2), lowest = Math.min(...values), highest = Math.max(...values);
  byId("scale-low").textContent = fixed(lowest);
  byId("scale-high").textContent = fixed(highest);
  content.folds.forEach((fold, index) => {
    const nested = result().protocols.nested.folds[index], best = optima[index];
    chart(surfaceId(index), `Score of fold ${fold} over the thresholds: best ${fixed(best.Score)} at α ${fixed(best.alpha)} and β ${fixed(best.beta)}.`, () => ({
      traces: [
        {type: "heatmap", x: GRID, y: GRID, z: surfaces[index], zmin: lowest, zmax: highest, colorscale: SCALE, showscale: false, hovertemplate: "α %{y:.3f}, β %{x:.3f}: %{z:.3f}<extra></extra>"},
        ...mark(best, "star", "best of the fold"), ...mark(nested, "circle", "chosen on the other folds"),
      ],
      layout: {title: {text: `fold ${fold}`, font: {size: 14}, y: 0.97, yanchor: "top"}, height: 260, showlegend: false, shapes: crosshair(), xaxis: {title: {text: "β"}, range: [0.026, 0.974]}, yaxis: {title: {text: "α"}, range: [0.026, 0.974]}, margin: {l: 44, r: 8, t: 30, b: 36}},
    }));
    byId(surfaceId(index)).on("plotly_click", ({points: [{x, y}]}) => setThresholds(y, x));
  });
}

// White inside black, so that it is seen on dark and on bright cells.
function mark({alpha, beta}, symbol, name) {
  const stroke = (width, color) => ({
    type: "scatter", mode: "markers", x: [beta], y: [alpha], marker: {symbol: `${symbol}-open`, size: 15, line: {width, color}, color}, hovertemplate: `${name}: α %{y:.3f}, β %{x:.3f}<extra></extra>`,
  });
  return [stroke(5, "#000"), stroke(2, "#fff")];
}

function crosshair() {
  const line = {color: "#fff", width: 1.5, dash: "dot"};
  return [{type: "line", xref: "paper", x0: 0, x1: 1, y0: shown.alpha, y1: shown.alpha, line}, {type: "line", yref: "paper", y0: 0, y1: 1, x0: shown.beta, x1: shown.beta, line}];
}

function setThresholds(alpha, beta) {
  Object.assign(shown, {alpha, beta});
  for (const name of ["alpha", "beta"]) {
    byId(name).value = shown[name];
    byId(`${name}-number`).value = Number(shown[name].toFixed(6));
  }
  update();
}

// Everything that follows the sliders: the table at once, the drawings once per frame.
function update() {
  const scores = scoreAt(shown.alpha, shown.beta), folds = scores.slice(0, -1);
  const mean = Object.fromEntries(PARTS.map(part => [part, folds.reduce((sum, fold) => sum + fold[part], 0) / folds.length]));
  [...folds, mean, scores.at(-1)].forEach((row, index) => fillRow(byId("explored").tBodies[0].rows[index], row, index));
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    byId("explorer-said").textContent = `At α ${fixed(shown.alpha)} and β ${fixed(shown.beta)} the folds' mean Score is ${fixed(mean.Score)} (ACC_P ${fixed(mean.ACC_P)}, ACC_S ${fixed(mean.ACC_S)}).`;
  }, 300);
  if (!waiting) {
    waiting = true;
    requestAnimationFrame(() => { waiting = false; followSliders(); });
  }
}

function fillRow(row, scores, index) {
  const values = [scores.ACC_P, scores.ACC_S, scores.Score];
  values.forEach((value, column) => write(row.cells[2 + column], value));
  if (index < content.folds.length) write(row.cells[8], optimaOf()[index].Score - scores.Score);
}

function write(cell, value) {
  cell.textContent = fixed(value);
  cell.dataset.value = value;
}

function followSliders() {
  content.folds.forEach((_, index) => Plotly.relayout(byId(surfaceId(index)), {shapes: crosshair()}));
  if (shown.decider === EXPLORED) spoil("confusion", "clips");
}

for (const name of ["alpha", "beta"]) {
  const follow = event => { if (event.target.value !== "" && event.target.validity.valid) setThresholds(...["alpha", "beta"].map(one => one === name ? Number(event.target.value) : shown[one])); };
  byId(name).addEventListener("input", follow);
  byId(`${name}-number`).addEventListener("change", follow);
}
