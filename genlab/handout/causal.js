// The walk over a causal list, one image at a time: at each pixel every node is computed there, once, from what is remembered. The same
// walk as genlab/causal/torch_walk.py; the list itself comes with the page. Maps lie in memory as [row][column][channel].

const isThere = ({ size: [height, width] }, y, x) => y >= 0 && x >= 0 && y < height && x < width;

// Where a node's pixel lies in its map; what is the same everywhere has one pixel.
const placeOf = ({ size: [, width], channels, everywhere }, y, x) => (everywhere ? 0 : (y * width + x) * channels);

// One function for each operation: what a node is at pixel (y, x) of its own map.
const OPERATIONS = {
  conv(node, y, x) {
    const { source, channels, taps, weight, sums, down, up } = node;
    sums.set(node.bias);
    for (let tap = 0; tap < taps.length; tap += 1) {
      let [row, column] = [down * y + taps[tap][0], down * x + taps[tap][1]];
      if (up > 1) {
        if (row % up || column % up) continue;
        [row, column] = [row / up, column / up];
      }
      if (!source.everywhere && !isThere(source, row, column)) continue;
      addProduct(sums, source.values, placeOf(source, row, column), source.channels, weight, tap * source.channels * channels);
    }
    node.values.set(sums, placeOf(node, y, x));
  },

  relu: pointwise((value) => Math.max(value, 0)),

  add(node, y, x) {
    const [one, other] = node.sources;
    const [at, first, second] = [node, one, other].map((each) => placeOf(each, y, x));
    for (let c = 0; c < node.channels; c += 1) node.values[at + c] = one.values[first + c] + other.values[second + c];
  },

  gate: gated(Math.tanh),
  identity_gate: gated((value) => value),

  concat_elu(node, y, x) {
    const { source, values } = node;
    const [at, from] = [placeOf(node, y, x), placeOf(source, y, x)];
    const elu = (value) => (value > 0 ? value : Math.expm1(value));
    for (let c = 0; c < source.channels; c += 1) {
      values[at + c] = elu(source.values[from + c]);
      values[at + source.channels + c] = elu(-source.values[from + c]);
    }
  },

  // i, f, o, g of the sums and of h at the taps; c = f c + i g; h = o tanh c. Beyond the border h and c are the learned initial ones.
  lstm(node, y, x) {
    const { channels, taps, weight, sums, source, states, bias, cellTap } = node;
    const at = placeOf(source, y, x);
    for (let i = 0; i < sums.length; i += 1) sums[i] = source.values[at + i];
    const stateAt = ([dy, dx]) => (isThere(node, y + dy, x + dx) ? [states, 2 * placeOf(node, y + dy, x + dx)] : [bias, 0]);
    taps.forEach((tap, number) => addProduct(sums, ...stateAt(tap), channels, weight, number * channels * 4 * channels));
    const [cells, cellAt] = stateAt(cellTap);
    const place = placeOf(node, y, x);
    for (let c = 0; c < channels; c += 1) {
      const [i, f, o] = [0, 1, 2].map((gate) => sigma(sums[gate * channels + c]));
      const cell = f * cells[cellAt + channels + c] + i * Math.tanh(sums[3 * channels + c]);
      states[2 * place + channels + c] = cell;
      states[2 * place + c] = node.values[place + c] = o * Math.tanh(cell);
    }
  },
};

const sigma = (x) => 1 / (1 + Math.exp(-x));

function pointwise(compute) {
  return (node, y, x) => {
    const [at, from] = [placeOf(node, y, x), placeOf(node.source, y, x)];
    for (let c = 0; c < node.channels; c += 1) node.values[at + c] = compute(node.source.values[from + c]);
  };
}

function gated(features) {
  return (node, y, x) => {
    const [at, from] = [placeOf(node, y, x), placeOf(node.source, y, x)];
    const { channels, source, values } = node;
    for (let c = 0; c < channels; c += 1) values[at + c] = features(source.values[from + c]) * sigma(source.values[from + channels + c]);
  };
}

// sums += W x for the x of one tap; what a ReLU has left at 0 costs nothing.
function addProduct(sums, x, from, inputs, weight, at) {
  const outputs = sums.length;
  for (let i = 0; i < inputs; i += 1, at += outputs) {
    const value = x[from + i];
    if (value !== 0) for (let c = 0; c < outputs; c += 1) sums[c] += value * weight[at + c];
  }
}

// Weights come as (outputs, taps · inputs), and are read the other way round.
function transposedMatrix({ rows, columns, values }) {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row += 1) for (let column = 0; column < columns; column += 1) turned[column * rows + row] = values[row * columns + column];
  return turned;
}

function create(data, tensors) {
  const { shape: [channels, height, width], levels, nodes: list, output, groups, distribution } = data;
  const nodes = new Map();
  let next = 0;
  for (const said of list) {
    const node = { ...said, values: new Float32Array(said.size[0] * said.size[1] * said.channels) };
    nodes.set(said.name, node);
    node.sources = said.inputs.map((name) => nodes.get(name));
    node.source = node.sources[0];
    node.compute = OPERATIONS[said.operation];
    if (said.weighs) {
      [node.weight, node.bias] = [transposedMatrix(tensors[next]), tensors[next + 1].values];
      node.sums = new Float64Array(tensors[next].rows);
      next += 2;
    }
    if (said.operation === "lstm") node.states = new Float32Array(2 * node.values.length);
  }
  const computed = [...nodes.values()].filter((node) => node.compute);
  const visited = (visit) => computed.filter((node) => node.visit === visit);
  const [rowNodes, allPixelNodes] = [visited("row"), visited("pixel")];
  const lateNodes = allPixelNodes.filter((node) => node.late);
  const pixelNodes = groups > 1 ? allPixelNodes : allPixelNodes.filter((node) => !node.late);
  const image = nodes.values().next().value; // the first of every list
  const parameters = nodes.get(output);
  const logitsOf = DISTRIBUTIONS[distribution.name]({ levels, channels, components: distribution.components });
  const probabilities = new Float64Array(levels);
  const here = new Uint8Array(channels);

  // What is given: maps by node, in the order of drawing; from them all that is computed once an image.
  function begin(given) {
    for (const [name, map] of Object.entries(given)) nodes.get(name).values.set(map);
    for (const node of visited("given")) {
      for (let y = 0; y < node.size[0]; y += 1) for (let x = 0; x < node.size[1]; x += 1) node.compute(node, y, x);
    }
    for (const node of computed) {
      // Beyond the border and wherever it is not computed yet a state is the initial one.
      for (let at = 0; node.states && at < node.states.length; at += node.bias.length) node.states.set(node.bias, at);
    }
  }

  function compute(node, y, x) {
    if (y % node.stride === 0 && x % node.stride === 0) node.compute(node, y / node.stride, x / node.stride);
  }

  // One row after another: `decide(i, probabilities)` says which level value i becomes, in the order rows, columns, channels.
  function* rows({ given = {}, temperature = 1, decide }) {
    begin(given);
    for (let y = 0; y < height; y += 1) {
      for (const node of rowNodes) {
        for (let n = 0; n < width; n += 1) compute(node, y, node.scan === "left" ? width - 1 - n : n);
      }
      for (let x = 0; x < width; x += 1) {
        here.fill(0);
        for (let channel = 0; channel < channels; channel += 1) {
          if (channel < groups) for (const node of pixelNodes) compute(node, y, x);
          logitsOf(parameters.values, placeOf(parameters, y, x), channel, here, probabilities);
          here[channel] = decide((y * width + x) * channels + channel, softened(probabilities, temperature));
          const at = placeOf(image, y, x);
          for (let c = 0; c < channels; c += 1) image.values[at + c] = here[c] * image.scale + image.shift;
        }
        for (const node of lateNodes) compute(node, y, x);
      }
      yield y;
    }
  }

  return { data, nodes, rows, sizes: { channels, height, width, levels, values: channels * height * width } };
}
