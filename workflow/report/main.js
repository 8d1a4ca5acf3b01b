// Which sections are near, and which must be filled again.
const SECTIONS = {
  scores: showScores, protocols: showProtocols, explorer: showExplorer, weights: showWeights, confusion: showConfusion,
  sensitivity: showSensitivity, calibration: showCalibration, curves: showCurves, tables: showTables, clips: showClips,
};
const near = new Set(), spoiled = new Set(Object.keys(SECTIONS));

function fill(...names) {
  for (const name of names) if (spoiled.delete(name)) SECTIONS[name]();
}

function spoil(...names) {
  names.forEach(name => spoiled.add(name));
  fill(...names.filter(name => near.has(name)));
}

const watcher = new IntersectionObserver(entries => {
  for (const {target, isIntersecting} of entries) {
    if (isIntersecting) near.add(target.id); else near.delete(target.id);
  }
  fill(...near);
}, {rootMargin: "400px"});

function start() {
  options(byId("ensemble"), content.scores.map(({name}) => [name, name]), shown.ensemble);
  const names = Object.keys(result().protocols).map(name => [name, protocolName(name)]);
  options(byId("decider"), [...names, [EXPLORED, "the sliders below"]], shown.decider);
  Object.assign(shown, {alpha: result().chosen.alpha, beta: result().chosen.beta});
  byId("ensemble").addEventListener("change", event => { shown.ensemble = event.target.value; spoil(...Object.keys(SECTIONS).filter(name => name !== "scores")); });
  byId("decider").addEventListener("change", event => { shown.decider = event.target.value; spoil("confusion", "clips"); });
  startClips();
  Object.keys(SECTIONS).forEach(name => watcher.observe(byId(name)));
  addEventListener("beforeprint", () => fill(...Object.keys(SECTIONS)));
  performance.mark("interactive");
}

start();
