// What the page shows of the chosen ensemble; each section is filled when it comes near.
const content = JSON.parse(byId("content").textContent);
const truth = unpack(content.truth);
const clipNumbers = Array.from(truth, (_, clip) => clip);
const foldClips = content.folds.map(fold => clipNumbers.filter(clip => content.clips.fold[clip] === fold));
const shown = {ensemble: content.shown, decider: "nested", alpha: 0.1, beta: 0.1};
const EXPLORED = "explorer";
const cached = new Map();

function once(key, make) {
  if (!cached.has(key)) cached.set(key, make());
  return cached.get(key);
}

const result = () => content.ensembles[shown.ensemble];
const largest = () => once(`largest ${shown.ensemble}`, () => twoLargest(unpack(result().fused), truth.length));
const body = id => byId(id).querySelector(".body");
const protocolName = name => name.replaceAll("_", " ");

// The decision about every clip: of a protocol, or of the sliders.
function decisions() {
  if (shown.decider !== EXPLORED) return once(`${shown.ensemble} ${shown.decider}`, () => unpack(result().decisions[shown.decider]));
  return Uint8Array.from(truth, (_, clip) => decideClip(largest(), clip, shown.alpha, shown.beta));
}

const saved = name => { const {columns, rows} = result().tables[name]; return table(name, columns, rows); };
const folded = (title, ...inside) => element("details", {}, element("summary", {}, title), ...inside);

function usedMark({uses_scored_fold: used, epochs_on_scored_fold: epochs}) {
  return element("span", {class: used ? "mark used" : "mark"}, used ? (epochs ? "used, epochs too" : "used") : "not used");
}

function showScores() {
  const rows = content.scores.toReversed(), names = rows.map(row => row.name);
  const points = (name, values, symbol, index, extra = {}) => ({
    type: "scatter", mode: "markers", name, x: values, y: names, marker: {symbol, size: 10, color: series(index)}, hovertemplate: "%{y}: %{x:.3f}<extra>%{fullData.name}</extra>", ...extra,
  });
  const high = rows.map(row => row.interval[1] - row.nested), low = rows.map(row => row.nested - row.interval[0]);
  chart("scores-chart", `Score of ${names.length} encoders and ensembles; the numbers stand in the table below.`, () => ({
    traces: [
      points("nested [95 %]", rows.map(row => row.nested), "circle", 0, {error_x: {type: "data", symmetric: false, array: high, arrayminus: low, color: series(0)}}),
      points("tuned", rows.map(row => row.tuned), "triangle-up-open", 1),
      ...(rows.some(row => row.published !== null) ? [points("published", rows.map(row => row.published), "x-thin-open", 5)] : []),
    ],
    layout: {height: 90 + 26 * names.length, xaxis: {title: {text: "Score"}, rangemode: "tozero"}, yaxis: {type: "category"}, margin: {l: 40, r: 12, t: 60, b: 44}},
  }));
}

function showProtocols() {
  const rows = Object.entries(result().protocols).map(([name, block]) => {
    const spread = measure => `${fixed(block.mean[measure])} ± ${fixed(block.std[measure])}`;
    const [low, high] = result().intervals[name].Score;
    return [protocolName(name), usedMark(block), spread("ACC_P"), spread("ACC_S"), spread("Score"), `${fixed(block.pooled.Score)} [${fixed(low)}, ${fixed(high)}]`];
  });
  body("protocols").replaceChildren(
    table(`Protocols of ${shown.ensemble}: mean ± standard deviation over folds`, ["protocol", "scored fold", "ACC_P", "ACC_S", "Score", "Score of all clips [95 %]"], rows),
    folded("Thresholds and scores of every fold", saved("Thresholds and scores by fold")));
}

function showWeights() {
  const {members, protocols, chosen} = result();
  const dots = protocols.nested.folds.map((fold, index) => ({
    type: "scatter", mode: "markers", name: `fold ${fold.fold}`, x: fold.weights, y: members, marker: {symbol: `${SYMBOLS[index % 6]}-open`, size: 9, color: series(index)},
  }));
  chart("weights-chart", `Weight of the ${members.length} members in each fold; the means stand in the table below.`, () => ({
    traces: [...dots, {type: "scatter", mode: "markers", name: "new clips", x: chosen.weights, y: members, marker: {symbol: "line-ns-open", size: 16, color: colour("text"), line: {width: 3}}}],
    layout: {height: 140 + 26 * members.length, xaxis: {title: {text: "weight, nested"}, rangemode: "tozero"}, yaxis: {type: "category", autorange: "reversed"}, margin: {l: 40, r: 12, t: 70, b: 44}},
  }));
  body("weights").replaceChildren(element("p", {}, `Weight of encoders that were fine-tuned or imported, nested: ${Math.round(100 * result().fine_tuned_share)} %.`), saved("Weights"));
}

function counted(rows, columns, pairs) {
  const counts = rows.map(() => columns.map(() => 0));
  for (const [row, column] of pairs) counts[row][column]++;
  return counts;
}

function showConfusion() {
  const decided = decisions(), scored = clipNumbers.filter(clip => decided[clip] !== NOT_SCORED);
  const counts = counted(SETS, SETS, scored.map(clip => [setOf(truth[clip]), setOf(decided[clip])]));
  const shares = counts.map(row => { const sum = row.reduce((a, b) => a + b, 0); return row.map(count => sum ? count / sum : 0); });
  chart("confusion-chart", `True sets of emotions against decided ones of ${scored.length} clips; the counts stand in the table below.`, () => ({
    traces: [{
      type: "heatmap", z: shares, x: SETS, y: SETS, colorscale: SCALE, zmin: 0, zmax: 1, text: counts.map(row => row.map(count => count || "")), texttemplate: "%{text}",
      hovertemplate: "%{y} decided as %{x}: %{text} clips, %{z:.0%}<extra></extra>", colorbar: {title: {text: "of the row"}, tickformat: ".0%", thickness: 12},
    }],
    layout: {height: 620, xaxis: {title: {text: "decided"}, tickangle: -60}, yaxis: {title: {text: "true"}, autorange: "reversed"}, margin: {l: 60, r: 8, t: 16, b: 90}},
  }));
  const ratios = RATIOS.map(ratio => ratio.join("/")), columns = [...ratios, "other emotions"];
  const blends = scored.filter(clip => isBlend(truth[clip]));
  const byRatio = counted(ratios, columns, blends.map(clip => [ratioOf(truth[clip]), setOf(decided[clip]) === setOf(truth[clip]) ? ratioOf(decided[clip]) : RATIOS.length]));
  const by = protocolName(shown.decider);
  body("confusion").replaceChildren(
    table(`Ratios of true blends (rows) by decided ratios (columns), first emotion / second, ${by}`, ["true", ...columns], ratios.map((ratio, row) => [ratio, ...byRatio[row]])),
    folded("The counts of sets as a table", table(`True sets (rows) by decided sets (columns), ${by}`, ["true", ...SETS], SETS.map((set, row) => [set, ...counts[row].map(String)]))));
}

function showTables() {
  const kept = ["Decisions with and without thresholds", "Who fails, nested", "Without one member, nested"];
  body("tables").replaceChildren(...kept.filter(name => result().tables[name].rows.length).map(name => folded(name, saved(name))));
}
