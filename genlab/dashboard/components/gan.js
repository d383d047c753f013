// A GAN in the plane, trained in the browser: two networks of linear layers with leaky ReLUs between them, their gradients, Adam, and the
// game between them. It knows nothing of the page. tests/test_gan_in_the_browser.py holds every loss and penalty to torch's.
//
// Numbers are float64; a matrix is laid out as torch's, (rows out, columns in), one after the other in a network's `parameters`.

const LEAK = 0.2;

// Uniform numbers in [0, 1) that follow from a seed (mulberry32, whose state is one 32-bit counter), and normal ones (Box and Muller 1958).
function createDraws(seed) {
  let state = seed >>> 0;
  function uniform() {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

// Memory that is used again: what was taken is free at the next rewind, which every move begins with. So nothing of it may be kept.
const pools = new Map();
function take(length) {
  if (!pools.has(length)) pools.set(length, { arrays: [], taken: 0 });
  const pool = pools.get(length);
  if (pool.taken === pool.arrays.length) pool.arrays.push(new Float64Array(length));
  pool.taken += 1;
  return pool.arrays[pool.taken - 1];
}
function rewind() {
  for (const pool of pools.values()) pool.taken = 0;
}

// --- a network -------------------------------------------------------------------------------------------------------------------

// `sizes` are those of its maps, input first. Starts as torch's linear layers do: uniform within ±1/√(inputs).
function createNetwork(sizes, draws) {
  const layers = [];
  let count = 0;
  for (let i = 1; i < sizes.length; i += 1) {
    layers.push({ inputs: sizes[i - 1], outputs: sizes[i], weight: count, bias: count + sizes[i] * sizes[i - 1] });
    count += sizes[i] * (sizes[i - 1] + 1);
  }
  const parameters = new Float64Array(count);
  for (const layer of layers) {
    const bound = 1 / Math.sqrt(layer.inputs);
    for (let i = layer.weight; i < layer.bias + layer.outputs; i += 1) parameters[i] = bound * (2 * draws.uniform() - 1);
  }
  const zeros = () => new Float64Array(count);
  return { sizes, layers, parameters, gradient: zeros(), mean: zeros(), square: zeros(), moves: 0 };
}

// Every map of `count` examples, the input first: leaky ReLUs in between, the last one linear.
function forward(network, input, count) {
  const maps = [input];
  network.layers.forEach((layer, i) => {
    const isLast = i === network.layers.length - 1;
    maps.push(linear(network.parameters, layer, maps[i], count, isLast));
  });
  return maps;
}

// Four outputs at a time: their sums do not wait for each other.
function linear(parameters, { inputs, outputs, weight, bias }, input, count, isLast) {
  const output = take(count * outputs);
  const leaky = (value) => (isLast || value > 0 ? value : LEAK * value);
  for (let n = 0; n < count; n += 1) {
    const from = n * inputs;
    const to = n * outputs;
    let o = 0;
    for (; o + 4 <= outputs; o += 4) {
      const w0 = weight + o * inputs;
      const w1 = w0 + inputs;
      const w2 = w1 + inputs;
      const w3 = w2 + inputs;
      let a = parameters[bias + o];
      let b = parameters[bias + o + 1];
      let c = parameters[bias + o + 2];
      let d = parameters[bias + o + 3];
      for (let k = 0; k < inputs; k += 1) {
        const value = input[from + k];
        a += parameters[w0 + k] * value;
        b += parameters[w1 + k] * value;
        c += parameters[w2 + k] * value;
        d += parameters[w3 + k] * value;
      }
      output[to + o] = leaky(a);
      output[to + o + 1] = leaky(b);
      output[to + o + 2] = leaky(c);
      output[to + o + 3] = leaky(d);
    }
    for (; o < outputs; o += 1) {
      let sum = parameters[bias + o];
      for (let k = 0; k < inputs; k += 1) sum += parameters[weight + o * inputs + k] * input[from + k];
      output[to + o] = leaky(sum);
    }
  }
  return output;
}

// The gradient of each layer's output before its leaky ReLU, and that of the input, which stands first. `slope` is that of the last map.
function backward(network, maps, slope, count) {
  const slopes = new Array(maps.length);
  slopes[maps.length - 1] = slope;
  for (let i = network.layers.length - 1; i >= 0; i -= 1) {
    slopes[i] = transposed(network.parameters, network.layers[i], slopes[i + 1], count);
    if (i > 0) throughLeaks(slopes[i], maps[i]);
  }
  return slopes;
}

function transposed(parameters, { inputs, outputs, weight }, slope, count) {
  const result = take(count * inputs).fill(0);
  for (let n = 0; n < count; n += 1) {
    const to = n * inputs;
    const from = n * outputs;
    let o = 0;
    for (; o + 4 <= outputs; o += 4) {
      const [a, b, c, d] = [slope[from + o], slope[from + o + 1], slope[from + o + 2], slope[from + o + 3]];
      const w0 = weight + o * inputs;
      const w1 = w0 + inputs;
      const w2 = w1 + inputs;
      const w3 = w2 + inputs;
      for (let k = 0; k < inputs; k += 1) {
        result[to + k] += a * parameters[w0 + k] + b * parameters[w1 + k] + c * parameters[w2 + k] + d * parameters[w3 + k];
      }
    }
    for (; o < outputs; o += 1) {
      const value = slope[from + o];
      for (let k = 0; k < inputs; k += 1) result[to + k] += value * parameters[weight + o * inputs + k];
    }
  }
  return result;
}

function throughLeaks(values, map) {
  for (let i = 0; i < values.length; i += 1) if (!(map[i] > 0)) values[i] *= LEAK;
}

// Adds to the gradient of the parameters what these slopes of the layers' outputs, with these inputs, make of it: four examples at a time.
function addGradient(network, inputsOf, slopes, count, withBias = true) {
  const { gradient } = network;
  network.layers.forEach(({ inputs, outputs, weight, bias }, i) => {
    const input = inputsOf[i];
    const slope = slopes[i + 1];
    let n = 0;
    for (; n + 4 <= count; n += 4) {
      const x0 = n * inputs;
      const x1 = x0 + inputs;
      const x2 = x1 + inputs;
      const x3 = x2 + inputs;
      for (let o = 0; o < outputs; o += 1) {
        const at = n * outputs + o;
        const [a, b, c, d] = [slope[at], slope[at + outputs], slope[at + 2 * outputs], slope[at + 3 * outputs]];
        const row = weight + o * inputs;
        for (let k = 0; k < inputs; k += 1) {
          gradient[row + k] += a * input[x0 + k] + b * input[x1 + k] + c * input[x2 + k] + d * input[x3 + k];
        }
        if (withBias) gradient[bias + o] += a + b + c + d;
      }
    }
    for (; n < count; n += 1) {
      for (let o = 0; o < outputs; o += 1) {
        const value = slope[n * outputs + o];
        for (let k = 0; k < inputs; k += 1) gradient[weight + o * inputs + k] += value * input[n * inputs + k];
        if (withBias) gradient[bias + o] += value;
      }
    }
  });
}

const ADAM = { beta1: 0.5, beta2: 0.99, epsilon: 1e-8 };

// Kingma and Ba 2015, as torch counts: the moments' biases are taken out, ε is added to the root.
function adam(network, rate) {
  const { beta1, beta2, epsilon } = ADAM;
  network.moves += 1;
  const { parameters, gradient, mean, square } = network;
  const step = rate / (1 - beta1 ** network.moves);
  const scale = Math.sqrt(1 - beta2 ** network.moves);
  for (let i = 0; i < parameters.length; i += 1) {
    mean[i] = beta1 * mean[i] + (1 - beta1) * gradient[i];
    square[i] = beta2 * square[i] + (1 - beta2) * gradient[i] * gradient[i];
    parameters[i] -= (step * mean[i]) / (Math.sqrt(square[i]) / scale + epsilon);
  }
  let norm = 0;
  for (const value of gradient) norm += value * value;
  return Math.sqrt(norm);
}

// --- losses ----------------------------------------------------------------------------------------------------------------------

const sigmoid = (value) => 1 / (1 + Math.exp(-value));
const softplus = (value) => Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)));

// What each player minimises, in terms of D's logits c: of real points (r) and of generated ones (f), and the slopes of it.
// D's loss has a term of the real and one of the generated points; of a relativistic one, whose term is of pairs, all is in the first.
const GAN_LOSSES = {
  nonsaturating: {
    d: (r, f) => [softplus(-r), softplus(f)],
    dSlopes: (r, f) => [-sigmoid(-r), sigmoid(f)],
    g: (r, f) => softplus(-f),
    gSlope: (r, f) => -sigmoid(-f),
  },
  minimax: {
    d: (r, f) => [softplus(-r), softplus(f)],
    dSlopes: (r, f) => [-sigmoid(-r), sigmoid(f)],
    g: (r, f) => -softplus(f),
    gSlope: (r, f) => -sigmoid(f),
  },
  wasserstein: {
    d: (r, f) => [-r, f],
    dSlopes: () => [-1, 1],
    g: (r, f) => -f,
    gSlope: () => -1,
  },
  hinge: {
    d: (r, f) => [Math.max(0, 1 - r), Math.max(0, 1 + f)],
    dSlopes: (r, f) => [r < 1 ? -1 : 0, f > -1 ? 1 : 0],
    g: (r, f) => -f,
    gSlope: () => -1,
  },
  relativistic: {
    d: (r, f) => [softplus(f - r), 0],
    dSlopes: (r, f) => [-sigmoid(f - r), sigmoid(f - r)],
    g: (r, f) => softplus(r - f),
    gSlope: (r, f) => -sigmoid(r - f),
  },
};

const CRITICS = ["wasserstein", "relativistic"];

// Adds the penalty on D's gradient g = ∂c/∂x at each of these points, `weight` times its mean, to D's gradient, and returns that mean's share
// of the loss. "zero": ½ |g|² (Mescheder et al. 2018); "one": (|g| − 1)² (Gulrajani et al. 2017).
//
// With v = ∂penalty/∂g held fixed, the penalty's slope is that of v · ∂c/∂x: D's answer to the tangent v, which runs through the same weights and
// the same leaks without their biases. A leaky ReLU has no curvature, so nothing else depends on the weights.
function addPenalty(network, points, count, kind, weight) {
  const maps = forward(network, points, count);
  const slopes = backward(network, maps, new Float64Array(count).fill(1), count);
  const tangents = [new Float64Array(points.length)];
  let total = 0;
  for (let n = 0; n < count; n += 1) {
    const [x, y] = [slopes[0][2 * n], slopes[0][2 * n + 1]];
    const length = Math.hypot(x, y);
    total += kind === "zero" ? 0.5 * length * length : (length - 1) ** 2;
    const share = (weight / count) * (kind === "zero" ? 1 : (2 * (length - 1)) / (length || 1));
    tangents[0][2 * n] = share * x;
    tangents[0][2 * n + 1] = share * y;
  }
  const unbiased = new Float64Array(network.parameters.length);
  unbiased.set(network.parameters);
  for (const { bias, outputs } of network.layers) unbiased.fill(0, bias, bias + outputs);
  network.layers.forEach((layer, i) => {
    const tangent = linear(unbiased, layer, tangents[i], count, true);
    if (i < network.layers.length - 1) throughLeaks(tangent, maps[i + 1]);
    tangents.push(tangent);
  });
  addGradient(network, tangents, slopes, count, false);
  return (weight * total) / count;
}

// --- the game --------------------------------------------------------------------------------------------------------------------

const Z_KINDS = {
  normal: (draws) => [draws.normal(), draws.normal()],
  uniform: (draws) => [2 * draws.uniform() - 1, 2 * draws.uniform() - 1],
  line: (draws) => [2 * draws.uniform() - 1, 0],
};

function createGame({ width, seed, depth = 2 }) {
  const hidden = new Array(depth).fill(width);
  const start = createDraws(2 * seed + 1);
  return {
    D: createNetwork([2, ...hidden, 1], start),
    G: createNetwork([2, ...hidden, 2], start),
    draws: createDraws(2 * seed),
  };
}

function drawZ(draws, kind, count) {
  const z = new Float64Array(2 * count);
  for (let n = 0; n < count; n += 1) z.set(Z_KINDS[kind](draws), 2 * n);
  return z;
}

function drawReal(draws, points, count) {
  const batch = new Float64Array(2 * count);
  const known = points.length / 2;
  for (let n = 0; n < count; n += 1) {
    const at = 2 * Math.floor(known * draws.uniform());
    batch[2 * n] = points[at];
    batch[2 * n + 1] = points[at + 1];
  }
  return batch;
}

// What D sees are real points and G(z); G is held fixed. Leaves the gradient of D's loss in D, and returns whatever can be shown of it.
function gradientOfD(game, settings, { real, z, mixing }) {
  rewind();
  const { D, G } = game;
  const count = real.length / 2;
  const fake = forward(G, z, count).at(-1);
  const [onReal, onFake] = [forward(D, real, count), forward(D, fake, count)];
  const [logitsReal, logitsFake] = [onReal.at(-1), onFake.at(-1)];
  const loss = GAN_LOSSES[settings.loss];
  const [slopeReal, slopeFake] = [new Float64Array(count), new Float64Array(count)];
  const terms = { real: 0, fake: 0, penalty: 0 };
  D.gradient.fill(0);
  for (let n = 0; n < count; n += 1) {
    const [a, b] = loss.d(logitsReal[n], logitsFake[n]);
    terms.real += a / count;
    terms.fake += b / count;
    const [s, t] = loss.dSlopes(logitsReal[n], logitsFake[n]);
    slopeReal[n] = s / count;
    slopeFake[n] = t / count;
  }
  addGradient(D, onReal, backward(D, onReal, slopeReal, count), count);
  addGradient(D, onFake, backward(D, onFake, slopeFake, count), count);
  if (settings.penalty > 0 && settings.loss === "wasserstein") {
    const between = real.map((value, i) => fake[i] + mixing[i >> 1] * (value - fake[i]));
    terms.penalty = addPenalty(D, between, count, "one", settings.penalty);
  } else if (settings.penalty > 0) {
    terms.penalty = addPenalty(D, real, count, "zero", settings.penalty) + addPenalty(D, fake, count, "zero", settings.penalty);
  }
  const total = terms.real + terms.fake + terms.penalty;
  const kept = { real, fake: fake.slice(), logitsReal: logitsReal.slice(), logitsFake: logitsFake.slice() };
  return { terms, total, accuracy: accuracyOf(settings.loss, logitsReal, logitsFake), ...kept };
}

// How often D is right. The scores of a critic mean nothing by themselves: the line is in the middle between both means.
function accuracyOf(loss, real, fake) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const line = CRITICS.includes(loss) ? (mean(real) + mean(fake)) / 2 : 0;
  const right = real.filter((value) => value > line).length + fake.filter((value) => value < line).length;
  return right / (real.length + fake.length);
}

// The slope of G's loss goes back through D, which is held fixed, to each generated point (`handed`), and on into G's weights.
function gradientOfG(game, settings, { real, z }) {
  rewind();
  const { D, G } = game;
  const count = z.length / 2;
  const inG = forward(G, z, count);
  const inD = forward(D, inG.at(-1), count);
  const logits = inD.at(-1);
  const onReal = settings.loss === "relativistic" ? forward(D, real, count).at(-1) : logits;
  const loss = GAN_LOSSES[settings.loss];
  const slope = new Float64Array(count);
  let total = 0;
  G.gradient.fill(0);
  for (let n = 0; n < count; n += 1) {
    total += loss.g(onReal[n], logits[n]) / count;
    slope[n] = loss.gSlope(onReal[n], logits[n]) / count;
  }
  const handed = backward(D, inD, slope, count)[0];
  addGradient(G, inG, backward(G, inG, handed, count), count);
  return { total, handed: handed.slice(), fake: inG.at(-1).slice(), logits: logits.slice() };
}

function moveD(game, settings, seen) {
  const found = gradientOfD(game, settings, seen);
  return { ...found, norm: adam(game.D, settings.lr_d) };
}

function moveG(game, settings, seen) {
  const found = gradientOfG(game, settings, seen);
  return { ...found, norm: adam(game.G, settings.lr_g) };
}

// What a player sees in a move: real points, z, and by what a Wasserstein penalty mixes real and generated ones.
function drawSeen({ draws }, { z, batch }, points) {
  return { real: drawReal(draws, points, batch), z: drawZ(draws, z, batch), mixing: Float64Array.from({ length: batch }, draws.uniform) };
}

// --- measures --------------------------------------------------------------------------------------------------------------------

// As genlab.measures.modes: a sample is good within 3σ of a centre, and a mode is found that has at least one. As genlab.doctor: a mode is missed
// to which less than a fifth of its share of the samples is nearest.
function countModes(samples, centres, sigma) {
  const count = centres.length / 2;
  const [good, nearest] = [new Uint32Array(count), new Uint32Array(count)];
  for (let n = 0; n < samples.length; n += 2) {
    let [which, least] = [0, Infinity];
    for (let c = 0; c < count; c += 1) {
      const distance = (samples[n] - centres[2 * c]) ** 2 + (samples[n + 1] - centres[2 * c + 1]) ** 2;
      if (distance < least) [which, least] = [c, distance];
    }
    nearest[which] += 1;
    if (least <= 9 * sigma * sigma) good[which] += 1;
  }
  const share = samples.length / 2 / count;
  const sum = good.reduce((sum, value) => sum + value, 0);
  return { found: good.filter(Boolean).length, good: (2 * sum) / samples.length, missed: nearest.filter((value) => value < 0.2 * share).length };
}
