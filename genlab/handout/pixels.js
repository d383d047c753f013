// A model that draws value after value: the theatre plays what it draws here, and a drawing is gone on with.

const IMAGES = 8; // drawn at once
const PATIENCE = 2500; // milliseconds; then what is drawn so far will do
const BREATH = 40; // milliseconds of work before the page may answer

const kind = {
  create,

  // The largest difference of any p(x_i | x_1 … x_{i−1}).
  async check(model, cases) {
    let largest = 0;
    for (const { levels, probabilities, label, condition } of cases) {
      const [values, expected] = [new Uint8Array(bytes(levels)), new Float32Array(bytes(probabilities))];
      const given = givenOf(model, { label, condition: condition && new Uint8Array(bytes(condition)) });
      const decide = (i, found) => {
        largest = worse(largest, Math.abs(found[values[i]] - expected[i]));
        return values[i];
      };
      await through(model.rows({ given, decide }));
    }
    return largest;
  },

  show: showPixels,
};

// The given maps of the list: a class as one channel a class, an image that is known from −1 to 1, each of its pixels repeated.
function givenOf({ nodes, data }, { label, condition }) {
  const maps = {};
  if (data.classes) {
    const { size, channels } = nodes.get("labels");
    maps.labels = Float32Array.from({ length: size[0] * size[1] * channels }, (_, i) => Number(i % channels === label));
  }
  if (data.condition) {
    const { size: [height, width], channels } = nodes.get(data.condition.node);
    const [, rows, columns] = data.condition.shape;
    const map = (maps[data.condition.node] = new Float32Array(height * width * channels));
    for (let i = 0; i < map.length; i += 1) {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      const [row, column] = [Math.floor((Math.floor(pixel / width) * rows) / height), Math.floor(((pixel % width) * columns) / width)];
      map[i] = (2 * condition[(row * columns + column) * channels + channel]) / (data.levels - 1) - 1;
    }
  }
  return maps;
}

// All rows, with a breath for the page now and then; stops where `isStale` says so.
async function through(rows, { isStale = () => false, onRow = () => {} } = {}) {
  let since = performance.now();
  for (const row of rows) {
    onRow(row);
    if (performance.now() - since < BREATH) continue;
    await breathe();
    since = performance.now();
    if (isStale()) return false;
  }
  return true;
}

// A new image of the walk, and what was expected of each value: kept for the theatre.
function recording({ sizes: { values, levels } }, uniforms, known = 0, image = null) {
  const record = {
    values: new Uint8Array(values),
    probabilities: new Uint16Array(values * levels),
    bits: new Float32Array(values),
    entropy: new Float32Array(values),
  };
  record.decide = (i, found) => {
    const level = i < known ? image[i] : drawLevel(found, uniforms[i]);
    record.values[i] = level;
    record.bits[i] = -Math.log2(found[level]);
    for (let k = 0; k < levels; k += 1) {
      record.probabilities[i * levels + k] = Math.round(65535 * found[k]);
      if (found[k] > 0) record.entropy[i] -= found[k] * Math.log2(found[k]);
    }
    return level;
  };
  return record;
}

function showPixels(root, model) {
  const part = (name) => root.querySelector(`#${name}`);
  const { sizes, data } = model;
  const { channels, height, width, levels } = sizes;
  const start = new Uint8Array(bytes(data.start));
  const [padChannels, padHeight, padWidth] = data.condition?.shape ?? data.shape;
  const drawing = { values: start, rows: Math.round(height / 2) };
  const told = { label: 0, condition: data.condition && start };
  let drawn = 0; // which drawing is the newest; others stop
  let gone = 0; // likewise of the drawings gone on with

  const play = mountComponent(part("theatre-here"), theatre);
  const draw = mountComponent(part("pad-here"), pad, (name, said) => {
    const values = new Uint8Array(bytes(said.values));
    if (data.condition) Object.assign(told, { condition: values });
    else Object.assign(drawing, { values, rows: said.rows });
    again();
  });
  draw({ heard: null, shape: [padChannels, padHeight, padWidth], levels, values: data.start, rows: drawing.rows, whole: Boolean(data.condition) });

  const { temperature, seed } = drawingControls(part, again);

  async function drawMany() {
    const mine = (drawn += 1);
    const isStale = () => mine !== drawn;
    const [began, records, given] = [performance.now(), [], givenOf(model, told)];
    while (records.length < IMAGES && (!records.length || performance.now() - began < PATIENCE)) {
      part("drawing").textContent = `drawing image ${records.length + 1} of ${IMAGES} …`;
      const record = recording(model, uniformsOf(seed(), records.length * sizes.values, sizes.values));
      if (!(await through(model.rows({ given, temperature: temperature(), decide: record.decide }), { isStale }))) return;
      records.push(record);
    }
    const joined = (Kind, name) => {
      const all = new Kind(records.length * records[0][name].length);
      records.forEach((record, n) => all.set(record[name], n * record[name].length));
      return all.buffer;
    };
    const seconds = (performance.now() - began) / 1000;
    const plural = records.length > 1 ? `${records.length} images` : "one image";
    part("drawing").textContent = `${plural} of ${sizes.values} values drawn in ${seconds.toFixed(1)} seconds, here, in your browser`;
    play({
      id: `drawn ${mine}`,
      caption: `${plural}, all drawn in the same order${temperature() === 1 ? "" : `, at temperature ${temperature()}`}; pick one to look at it closely`,
      shape: [channels, height, width],
      levels,
      count: records.length,
      real: false,
      together: data.groups === channels ? 1 : channels,
      values: joined(Uint8Array, "values"),
      probabilities: joined(Uint16Array, "probabilities"),
      bits: joined(Float32Array, "bits"),
      entropy: joined(Float32Array, "entropy"),
      image: 0,
      sees: false,
      sight: null,
    });
  }

  // Many ways to go on, each as far as it has come.
  async function goOn() {
    if (data.condition) return;
    const mine = (gone += 1);
    const [canvas, known] = [part("completions"), drawing.rows * width * channels];
    const image = { width, height, channels, levels };
    const { across, down, width: wide, height: high } = wallOf(IMAGES, 4, image);
    fitCanvas(canvas, wide, high, canvas.parentElement.clientWidth);
    canvas.setAttribute("aria-label", `${IMAGES} pictures that all begin with your ${drawing.rows} rows and go on as the model draws them.`);
    canvas.getContext("2d").clearRect(0, 0, wide, high);
    const given = givenOf(model, told);
    for (let n = 0; n < IMAGES; n += 1) {
      const record = recording(model, uniformsOf(seed(), n * sizes.values, sizes.values), known, drawing.values);
      const onRow = (row) => {
        const picture = new ImageData(width, height);
        fillImage(picture, 0, 0, record.values, (row + 1) * width * channels, image, inkAndPaper(canvas));
        canvas.getContext("2d").putImageData(picture, (n % 4) * across, Math.floor(n / 4) * down);
      };
      if (!(await through(model.rows({ given, temperature: temperature(), decide: record.decide }), { isStale: () => mine !== gone, onRow }))) return;
    }
    canvas.dataset.finished = String(mine);
  }

  async function again() {
    await drawMany();
    goOn();
  }

  part("classes").hidden = !data.classes;
  part("class").replaceChildren(...Array.from({ length: data.classes }, (_, label) => new Option(label, label)));
  part("class").onchange = (event) => {
    told.label = Number(event.target.value);
    again();
  };
  part("going-on").hidden = Boolean(data.condition);
  part("pad-title").textContent = data.condition ? "What it is told: draw here" : "Begin a picture, and the model goes on";
  part("pad-words").textContent = data.condition
    ? `The model draws given ${data.condition.kind === "grey" ? "the brightness of each pixel" : "this small picture"}. Change it, and it draws again.`
    : "The rows above the line are yours, the model draws what comes below, eight times with different luck.";
  whenColoursChange(goOn);
  return again();
}
