// Decisions and scores as in blemore.fusion.postprocess and blemore.fusion.metrics, in the same float64.
// A decision is the number of one of the 36 label types: the single emotions, then each pair at 50/50, 70/30 and 30/70.
const EMOTIONS = ["ang", "disg", "fea", "hap", "sad", "neu"];
const NEUTRAL = EMOTIONS.indexOf("neu");
const RATIOS = [[50, 50], [70, 30], [30, 70]];
const GRID = Array.from({length: 20}, (_, index) => index === 19 ? 0.95 : 0.05 + index * ((0.95 - 0.05) / 19)); // numpy's linspace
const NOT_SCORED = 255;
const PAIRS = [];
for (let first = 0; first < NEUTRAL; first++) for (let second = first + 1; second < NEUTRAL; second++) PAIRS.push([first, second]);
const PAIR_NUMBER = new Int8Array(36);
PAIRS.forEach(([first, second], number) => { PAIR_NUMBER[6 * first + second] = PAIR_NUMBER[6 * second + first] = number; });

const isBlend = type => type >= EMOTIONS.length && type < NOT_SCORED;
const setOf = type => isBlend(type) ? EMOTIONS.length + Math.floor((type - EMOTIONS.length) / RATIOS.length) : type;
const ratioOf = type => (type - EMOTIONS.length) % RATIOS.length;
const membersOf = set => set < EMOTIONS.length ? [set] : PAIRS[set - EMOTIONS.length];
const setName = set => membersOf(set).map(emotion => EMOTIONS[emotion]).join(" + ");
const SETS = Array.from({length: EMOTIONS.length + PAIRS.length}, (_, set) => setName(set));

function typeName(type) {
  if (type === NOT_SCORED) return "not scored";
  return isBlend(type) ? `${setName(setOf(type))} ${RATIOS[ratioOf(type)].join("/")}` : EMOTIONS[type];
}

// The two largest of each row; of equal ones the lower index comes first.
function twoLargest(probabilities, clips) {
  const found = {first: new Uint8Array(clips), second: new Uint8Array(clips), high: new Float64Array(clips), low: new Float64Array(clips)};
  for (let clip = 0; clip < clips; clip++) {
    let first = 0, second = -1;
    const at = EMOTIONS.length * clip;
    for (let emotion = 1; emotion < EMOTIONS.length; emotion++) {
      const p = probabilities[at + emotion];
      if (p > probabilities[at + first]) { second = first; first = emotion; }
      else if (second < 0 || p > probabilities[at + second]) second = emotion;
    }
    found.first[clip] = first;
    found.second[clip] = second;
    found.high[clip] = probabilities[at + first];
    found.low[clip] = probabilities[at + second];
  }
  return found;
}

function decideClip(largest, clip, alpha, beta) {
  const first = largest.first[clip], second = largest.second[clip], high = largest.high[clip], low = largest.low[clip];
  if (!(low > 0) || first === NEUTRAL || second === NEUTRAL || !(low >= alpha)) return first;
  const pair = EMOTIONS.length + RATIOS.length * PAIR_NUMBER[6 * first + second];
  if (high - low <= beta) return pair;
  const dominant = high > low ? first : second;
  return pair + (dominant < first + second - dominant ? 1 : 2);
}

// ACC_P, ACC_S and Score of the clips listed; `decide` gives the type of one of them.
function measure(clips, truth, decide) {
  let present = 0, blends = 0, salient = 0;
  for (const clip of clips) {
    const type = decide(clip);
    if (setOf(type) === setOf(truth[clip])) present++;
    if (isBlend(truth[clip])) { blends++; if (type === truth[clip]) salient++; }
  }
  const presence = clips.length ? present / clips.length : NaN, salience = blends ? salient / blends : 0;
  return {ACC_P: presence, ACC_S: salience, Score: 0.5 * presence + 0.5 * salience};
}

// The Score at every point of the official grid, a row for each alpha.
function surface(largest, clips, truth) {
  return GRID.map(alpha => GRID.map(beta => measure(clips, truth, clip => decideClip(largest, clip, alpha, beta)).Score));
}

// The first maximum: the smallest alpha, then the smallest beta.
function optimum(scores) {
  let best = {alpha: 0, beta: 0};
  scores.forEach((row, alpha) => row.forEach((score, beta) => { if (score > scores[best.alpha][best.beta]) best = {alpha, beta}; }));
  return {alpha: GRID[best.alpha], beta: GRID[best.beta], Score: scores[best.alpha][best.beta]};
}

// Arrays travel as the base64 of their little-endian bytes.
const ARRAYS = {f8: Float64Array, f4: Float32Array, u1: Uint8Array};
function unpack({type, base64}) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return new ARRAYS[type](bytes.buffer);
}
