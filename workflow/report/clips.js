// Every clip: filters, and what each encoder says of one.
const PER_PAGE = 25;
const OUTCOMES = ["right", "right emotions, other ratio", "blend missed", "blend invented", "other emotions", "not scored"];
const FILTERS = ["name", "outcome", "actor", "fold", "true", "decided"];
let at = 0, opened = null;

function outcome(type, label) {
  if (type === NOT_SCORED) return OUTCOMES[5];
  if (type === label) return OUTCOMES[0];
  if (setOf(type) === setOf(label)) return OUTCOMES[1];
  if (isBlend(label) !== isBlend(type)) return isBlend(label) ? OUTCOMES[2] : OUTCOMES[3];
  return OUTCOMES[4];
}

function wanted() {
  const decided = decisions(), [name, kind, actor, fold, real, said] = FILTERS.map(filter => byId(`clips-${filter}`).value);
  const holds = (type, emotion) => !emotion || (type !== NOT_SCORED && membersOf(setOf(type)).includes(Number(emotion)));
  return clipNumbers.filter(clip => content.clips.id[clip].toLowerCase().includes(name.toLowerCase()) && (!kind || outcome(decided[clip], truth[clip]) === kind) && (!actor || content.clips.actor[clip] === actor)
    && (!fold || String(content.clips.fold[clip]) === fold) && holds(truth[clip], real) && holds(decided[clip], said));
}

function showClips() {
  const found = wanted(), decided = decisions();
  at = Math.min(at, PER_PAGE * Math.max(0, Math.ceil(found.length / PER_PAGE) - 1));
  const page = found.slice(at, at + PER_PAGE);
  const rows = page.map(clip => [element("button", {type: "button", class: "link", onclick: () => openClip(clip)}, content.clips.id[clip]), content.clips.actor[clip], String(content.clips.fold[clip]), typeName(truth[clip]), typeName(decided[clip]), outcome(decided[clip], truth[clip])]);
  byId("clips-said").textContent = `${found.length} of ${truth.length} clips, decided by ${protocolName(shown.decider)}.`;
  byId("clips-place").textContent = found.length ? `${at + 1} to ${at + page.length}` : "none";
  byId("clips-back").disabled = at === 0;
  byId("clips-on").disabled = at + PER_PAGE >= found.length;
  const made = table("Clips", ["clip", "actor", "fold", "truth", "decision", "outcome"], rows, "clip-list");
  made.querySelector("table").classList.add("text");
  body("clips").replaceChildren(made);
  if (opened !== null) fillClip(opened);
}

function openClip(clip) {
  opened = clip;
  fillClip(clip);
  byId("clip").focus();
}

function closeClip() {
  opened = null;
  byId("clip").replaceChildren();
}

function fillClip(clip) {
  const id = content.clips.id[clip], decided = decisions()[clip], fold = content.folds.indexOf(content.clips.fold[clip]);
  byId("clip").replaceChildren(
    element("h3", {}, id),
    element("p", {}, `Actor ${content.clips.actor[clip] || "unknown"}, fold ${content.clips.fold[clip]}. True: ${typeName(truth[clip])}. Decided by ${protocolName(shown.decider)}: ${typeName(decided)} (${outcome(decided, truth[clip])}).`),
    ...pictureFigures(id), probabilityTable(clip, fold), element("button", {type: "button", onclick: closeClip}, "Close"));
}

function probabilityTable(clip, fold) {
  const six = array => Array.from(array.subarray(6 * clip, 6 * clip + 6));
  const cell = p => Number.isNaN(p) ? "–" : p;
  const rows = [["fused", "", ...six(once(`fused ${shown.ensemble}`, () => unpack(result().fused)))]];
  result().members.forEach((member, index) => {
    const probability = once(`member ${member}`, () => unpack(content.members[member].probability));
    rows.push([member, result().protocols.nested.folds[fold].weights[index], ...six(probability).map(cell)]);
  });
  const made = table("Probabilities, and nested weights of the clip's fold", ["", "weight", ...EMOTIONS], rows);
  made.querySelectorAll("tbody tr").forEach(row => [...row.cells].slice(2).forEach(one => { one.classList.add("tinted"); one.style.setProperty("--share", one.dataset.value ?? 0); }));
  return made;
}

function pictureFigures(id) {
  const found = once("pictures", () => JSON.parse(byId("pictures").textContent))[id];
  if (!found) return [];
  const figures = [];
  if (found.faces) figures.push(figure("Face at even intervals", element("img", {alt: `Faces of ${id}`, src: `data:image/jpeg;base64,${found.faces}`})));
  if (found.wave) figures.push(figure(`Waveform, ${found.duration_s.toFixed(2)} s`, waveform(unpack({type: "u1", base64: found.wave}), id)));
  if (found.spectrogram) figures.push(figure(`Mel spectrogram up to ${found.highest_hz} Hz, brighter is louder`, element("img", {class: "spectrogram", alt: `Spectrogram of ${id}`, src: `data:image/webp;base64,${found.spectrogram}`})));
  return figures;
}

const figure = (caption, picture) => element("figure", {}, picture, element("figcaption", {}, caption));

function waveform(levels, id) {
  const space = "http://www.w3.org/2000/svg", drawing = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
  const points = levels.length / 2;
  const above = Array.from({length: points}, (_, x) => `${x},${255 - levels[x]}`), below = Array.from({length: points}, (_, x) => `${x},${255 - levels[points + x]}`).reverse();
  path.setAttribute("d", `M${[...above, ...below].join("L")}Z`);
  path.setAttribute("fill", "currentColor");
  path.setAttribute("stroke", "currentColor");
  for (const [name, value] of Object.entries({viewBox: `0 0 ${points - 1} 255`, preserveAspectRatio: "none", role: "img", "aria-label": `Waveform of ${id}`})) drawing.setAttribute(name, value);
  drawing.append(path);
  return drawing;
}

function startClips() {
  const any = [["", "any"]], emotions = EMOTIONS.map((name, emotion) => [String(emotion), name]), unique = values => [...new Set(values)].sort().map(value => [value, value]);
  options(byId("clips-outcome"), [...any, ...OUTCOMES.map(name => [name, name])], "");
  options(byId("clips-actor"), [...any, ...unique(content.clips.actor)], "");
  options(byId("clips-fold"), [...any, ...content.folds.map(fold => [String(fold), String(fold)])], "");
  options(byId("clips-true"), [...any, ...emotions], "");
  options(byId("clips-decided"), [...any, ...emotions], "");
  FILTERS.forEach(filter => byId(`clips-${filter}`).addEventListener("input", () => { at = 0; showClips(); }));
  byId("clips-back").addEventListener("click", () => { at -= PER_PAGE; showClips(); });
  byId("clips-on").addEventListener("click", () => { at += PER_PAGE; showClips(); });
}
