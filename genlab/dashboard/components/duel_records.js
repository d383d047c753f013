// What is written down while the GAN in the plane trains, for its curves and for the doctor: means over as many steps as keep the list short.

const MOST_RECORDS = 400;

function createRecords() {
  const [turns, looks] = [createSeries(), createSeries()];
  return {
    // After a turn: what D and G have told of their newest moves.
    add(step, { d, g }) {
      const values = {};
      if (d) Object.assign(values, { "discriminator/loss": d.total, "discriminator/accuracy": d.accuracy, "discriminator/gradient_norm": d.norm });
      if (g) Object.assign(values, { "generator/loss": g.total, "generator/gradient_norm": g.norm, "generator/handed": handedOf(g) });
      turns.add(step, values);
    },
    // After a look at many samples.
    look: (step, values) => looks.add(step, values),
    turns: turns.records,
    looks: looks.records,
  };
}

// Records {step, values}. Once there are too many, each two become one, and from then on so do the new ones.
function createSeries() {
  const records = [];
  let [stride, open] = [1, null];

  function add(step, values) {
    open = open ? merged(open, { step, values, weight: 1 }) : { step, values, weight: 1 };
    if (open.weight < stride) return;
    records.push(open);
    open = null;
    if (records.length < MOST_RECORDS) return;
    stride *= 2;
    for (let i = 0; i < MOST_RECORDS / 2; i += 1) records[i] = merged(records[2 * i], records[2 * i + 1]);
    records.length = MOST_RECORDS / 2;
  }

  return { add, records };
}

function merged(before, after) {
  const weight = before.weight + after.weight;
  const mean = (name, value) => (before.values[name] * before.weight + value * after.weight) / weight;
  const values = Object.entries(after.values).map(([name, value]) => [name, name in before.values ? mean(name, value) : value]);
  return { step: after.step, values: Object.fromEntries(values), weight };
}

// Mean |∂loss/∂x| of a generated point's own loss. What D hands back is the gradient of the mean, so its sum is that mean.
function handedOf({ handed }) {
  let sum = 0;
  for (let i = 0; i < handed.length; i += 2) sum += Math.hypot(handed[i], handed[i + 1]);
  return sum;
}

// Root of the mean squared distance from the centre of the points.
function spreadOf(points) {
  let [x, y, squares] = [0, 0, 0];
  const count = points.length / 2;
  for (let i = 0; i < points.length; i += 2) {
    x += points[i] / count;
    y += points[i + 1] / count;
    squares += (points[i] ** 2 + points[i + 1] ** 2) / count;
  }
  return Math.sqrt(Math.max(0, squares - x * x - y * y));
}

// Where nearly all of the values are, and the level lines, with some room.
function rangeOf(values, levels) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const [least, most] = [Math.min(at(0.02), ...levels), Math.max(at(0.98), ...levels)];
  const room = 0.12 * (most - least || 1);
  return [least - room, most + room];
}
