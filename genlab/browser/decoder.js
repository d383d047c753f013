// A decoder in the browser: its weights are sent once, and what a code stands for is computed as often as a pointer moves.
// `networks.py` says what its layers are, and computes the same in torch.

const LEAST_LOG_SCALE = -7; // as in genlab/causal/logistic_mixture.py

const silu = (x) => x / (1 + Math.exp(-x));
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
// log(1 + exp x), for large x too.
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

// What a plain network makes of a row of numbers, in an array that the next call fills anew; `weights` are all layers', one after another.
function createNetwork(layers, weights) {
  let at = 0;
  const take = (count) => weights.subarray(at, (at += count));
  const steps = layers.map((step) => {
    const [fanIn, pixels] = step.kind === "dense" ? [step.inputs, 1] : [step.inputs * step.kernel ** 2, step.size[0] * step.size[1]];
    const layer = () => ({ weight: take(fanIn * step.outputs), bias: take(step.outputs) });
    const made = { ...step, compute: LAYERS[step.kind], ...layer(), values: new Float32Array(step.outputs * pixels) };
    return step.kind === "residual" ? { ...made, second: layer() } : made;
  });
  return (code) => steps.reduce((values, step) => activated(step.compute(values, step), step.activation), code);
}

const ACTIVATIONS = { silu, relu: (x) => Math.max(x, 0), leaky_relu: (x) => (x < 0 ? 0.2 * x : x), tanh: Math.tanh };

function activated(values, name) {
  const activation = ACTIVATIONS[name];
  if (activation) for (let i = 0; i < values.length; i += 1) values[i] = activation(values[i]);
  return values;
}

// Weights are float16 in base64, or numbers already.
function createDecoder(sent) {
  const isText = typeof sent.weights === "string";
  const maps = createNetwork(sent.steps, isText ? fromHalves(new Uint16Array(bytes(sent.weights))) : sent.weights);
  const [channels, height, width] = sent.shape;
  const mapped = sent.mapped; // height and width of the decoder's maps; what is over is cut off
  const greys = new Uint8Array(channels * height * width);
  const means = new Float64Array(greys.length);
  const head = HEADS[sent.likelihood](sent.levels);

  // What the decoder says of value i of a picture, in the order of drawing (rows, columns, channels): the place of its first parameter,
  // and how far it is from one to the next.
  const apart = mapped[0] * mapped[1];
  const places = Uint32Array.from(greys, (_, i) => {
    const [pixel, channel] = [Math.floor(i / channels), i % channels];
    return channel * head.parameters * apart + Math.floor(pixel / width) * mapped[1] + (pixel % width);
  });

  // The mean of each value as a share of ink, in an array that the next call fills anew.
  function expected(code) {
    const values = maps(code);
    for (let i = 0; i < means.length; i += 1) means[i] = head.mean(values, places[i], apart);
    return means;
  }

  // The mean picture in 256 levels, likewise.
  function picture(code) {
    expected(code).forEach((mean, i) => (greys[i] = Math.round(255 * mean)));
    return greys;
  }

  // log p(x | z) in nats of a picture's levels.
  function logLikelihood(levels, code) {
    const values = maps(code);
    let sum = 0;
    for (let i = 0; i < levels.length; i += 1) sum += head.logProb(values, places[i], apart, levels[i]);
    return sum;
  }

  return { expected, picture, logLikelihood, image: { width, height, channels, levels: 256 } };
}

// What a decoder's maps say of one value: its mean as a share of ink, and log p of a level (genlab/models/latent/observation.py).
const HEADS = {
  // Values from −1 to 1, of a network that says nothing of how sure it is.
  tanh: () => ({ parameters: 1, mean: (maps, at) => (maps[at] + 1) / 2, logProb: () => NaN }),
  bernoulli: () => ({
    parameters: 1,
    mean: (maps, at) => sigmoid(maps[at]),
    logProb: (maps, at, apart, level) => -softplus(level ? -maps[at] : maps[at]),
  }),
  categorical: (levels) => ({
    parameters: levels,
    mean(maps, at, apart) {
      const most = highest(maps, at, apart, levels);
      let [sum, mean] = [0, 0];
      for (let k = 0; k < levels; k += 1) {
        const share = Math.exp(maps[at + k * apart] - most);
        sum += share;
        mean += share * k;
      }
      return mean / sum / (levels - 1);
    },
    logProb(maps, at, apart, level) {
      const most = highest(maps, at, apart, levels);
      let sum = 0;
      for (let k = 0; k < levels; k += 1) sum += Math.exp(maps[at + k * apart] - most);
      return maps[at + level * apart] - most - Math.log(sum);
    },
  }),
  logistic: (levels) => ({
    parameters: 2,
    // E[x] = Σ_k P(x ≥ k).
    mean(maps, at, apart) {
      const sharp = Math.exp(-Math.max(maps[at + apart], LEAST_LOG_SCALE));
      let sum = 0;
      for (let k = 1; k < levels; k += 1) sum += sigmoid((maps[at] - (2 * k - 1) / (levels - 1) + 1) * sharp);
      return sum / (levels - 1);
    },
    // log (σ(b) − σ(a)) = log σ(b) + log σ(−a) + log(1 − e^{a − b}), where a bin has both edges.
    logProb(maps, at, apart, level) {
      const sharp = Math.exp(-Math.max(maps[at + apart], LEAST_LOG_SCALE));
      const edge = (side) => ((2 * level + side) / (levels - 1) - 1 - maps[at]) * sharp;
      const [isFirst, isLast] = [level === 0, level === levels - 1];
      const inner = isFirst || isLast ? 0 : Math.log(-Math.expm1((-2 / (levels - 1)) * sharp));
      return inner - (isLast ? 0 : softplus(-edge(1))) - (isFirst ? 0 : softplus(edge(-1)));
    },
  }),
};

function highest(maps, at, apart, levels) {
  let most = maps[at];
  for (let k = 1; k < levels; k += 1) most = Math.max(most, maps[at + k * apart]);
  return most;
}

// y = W x + b, W by rows.
function dense(values, { inputs, outputs, weight, bias, values: results }) {
  for (let row = 0, at = 0; row < outputs; row += 1) {
    let sum = bias[row];
    for (let i = 0; i < inputs; i += 1, at += 1) sum += weight[at] * values[i];
    results[row] = sum;
  }
  return results;
}

// A transposed convolution: every value of a map is strewn, times a kernel of weights (in, out, kernel, kernel), over the larger one.
function transposed(values, { inputs, outputs, kernel, stride, padding, size, from, weight, bias, values: results }) {
  const [height, width] = size;
  for (let out = 0; out < outputs; out += 1) results.fill(bias[out], out * height * width, (out + 1) * height * width);
  for (let into = 0; into < inputs; into += 1) {
    for (let row = 0; row < from[0]; row += 1) {
      for (let column = 0; column < from[1]; column += 1) {
        const value = values[(into * from[0] + row) * from[1] + column];
        for (let out = 0; out < outputs; out += 1) {
          for (let down = 0; down < kernel; down += 1) {
            const y = row * stride - padding + down;
            if (y < 0 || y >= height) continue;
            const [to, tap] = [(out * height + y) * width, ((into * outputs + out) * kernel + down) * kernel];
            for (let across = 0; across < kernel; across += 1) {
              const x = column * stride - padding + across;
              if (x >= 0 && x < width) results[to + x] += value * weight[tap + across];
            }
          }
        }
      }
    }
  }
  return results;
}

// x + conv(SiLU(conv(SiLU(x)))), of as many channels.
function residual(values, { inputs, size: [height, width], weight, bias, second, values: results }) {
  const biased = (maps, { bias: own }) => maps.map((value, i) => value + own[Math.floor(i / (height * width))]);
  const hidden = biased(convolved(values.map(silu), inputs, height, width, weight, inputs), { bias }).map(silu);
  const more = biased(convolved(hidden, inputs, height, width, second.weight, inputs), second);
  for (let i = 0; i < results.length; i += 1) results[i] = values[i] + more[i];
  return results;
}

const LAYERS = { dense, transposed, residual };

// A convolution with a square kernel, padded to the same size; the weight by rows of outputs.
function convolved(values, inputs, height, width, weight, outputs) {
  const side = Math.round(Math.sqrt(weight.length / (inputs * outputs)));
  const reach = (side - 1) / 2;
  const results = new Float64Array(outputs * height * width);
  for (let out = 0, at = 0; out < outputs; out += 1) {
    for (let into = 0; into < inputs; into += 1) {
      for (let dy = -reach; dy <= reach; dy += 1) {
        for (let dx = -reach; dx <= reach; dx += 1, at += 1) {
          const factor = weight[at];
          for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y += 1) {
            const [to, from] = [(out * height + y) * width, (into * height + y + dy) * width + dx];
            for (let x = Math.max(0, -dx); x < Math.min(width, width - dx); x += 1) results[to + x] += factor * values[from + x];
          }
        }
      }
    }
  }
  return results;
}

// One decoded or real picture, alone in its canvas, as large as there is room for.
function paintPicture(canvas, values, image, available) {
  fitCanvas(canvas, image.width, image.height, available);
  const picture = new ImageData(image.width, image.height);
  fillImage(picture, 0, 0, values, values.length, image, inkAndPaper(canvas));
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// As people write numbers: a real minus sign, and no minus zero.
function signed(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}
