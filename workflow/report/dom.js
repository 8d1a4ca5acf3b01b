// Elements, tables and charts. Text goes in as text nodes, never as HTML.
const byId = id => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const fixed = value => value === null || value === undefined || Number.isNaN(value) ? "–" : value.toFixed(3);

// A table that scrolls sideways in its own box. Cells are text, numbers (three decimals, the exact one in `data-value`) or nodes.
function table(caption, columns, rows, id = null) {
  const head = element("tr", {}, ...columns.map(column => element("th", {scope: "col"}, column)));
  const body = rows.map(row => element("tr", {}, ...row.map((cell, index) => index ? dataCell(cell) : element("th", {scope: "row"}, headText(cell)))));
  const made = element("table", {id}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", {class: "wide", role: "region", "aria-label": caption, tabindex: "0"}, made);
}

const headText = cell => cell instanceof Node ? cell : String(cell);

function dataCell(cell) {
  if (cell instanceof Node) return element("td", {}, cell);
  if (typeof cell === "number") return element("td", {"data-value": String(cell)}, Number.isInteger(cell) ? String(cell) : fixed(cell));
  return element("td", /^0(\.0+)?$/.test(cell) ? {class: "zero"} : {}, cell === null ? "–" : String(cell));
}

function options(select, pairs, chosen) {
  select.replaceChildren(...pairs.map(([value, text]) => element("option", {value, selected: value === chosen}, text)));
}

// Charts are drawn when their section comes near, and again when what they show or the colours of the page change.
const charts = new Map();
const DASHES = ["solid", "dot", "dash", "longdash", "dashdot", "longdashdot"];
const SCALE = "Viridis";
const SYMBOLS = ["circle", "square", "diamond", "cross", "triangle-up", "star"];
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const series = index => colour(`series-${index % 6}`);

function themed(layout) {
  const axis = {gridcolor: colour("line"), zerolinecolor: colour("line"), automargin: true};
  const merged = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: {color: colour("text"), family: "system-ui, sans-serif", size: 13},
    margin: {l: 48, r: 12, t: 16, b: 44}, hoverlabel: {namelength: -1}, ...layout,
    legend: {orientation: "h", y: 1.02, yanchor: "bottom", ...(innerWidth < 640 ? {entrywidthmode: "fraction", entrywidth: 0.45, font: {size: 11}} : {}), ...layout.legend},
  };
  for (const name of ["xaxis", "yaxis"]) merged[name] = {...axis, ...(layout[name] ?? {})};
  return merged;
}

// `describe` is what a screen reader says of the picture; the numbers stand in a table beside it.
function chart(id, describe, make) {
  const place = byId(id);
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", describe);
  const draw = () => {
    const {traces, layout} = make();
    return Plotly.react(place, traces, themed(layout), {displaylogo: false, responsive: true, displayModeBar: false});
  };
  charts.set(id, draw);
  return draw();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(draw => draw()));
