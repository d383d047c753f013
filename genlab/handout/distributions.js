// What a causal list's output says of a pixel (genlab/causal/distributions.py, logistic_mixture.py): log-probabilities, up to a constant, of
// the levels of one channel, given the levels of the channels before it.

const LEAST_SCALE = -7; // a log-scale below it counts as this

const logSigmoid = (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));

function logSum(values) {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

const DISTRIBUTIONS = {
  categorical: ({ levels }) => (parameters, at, channel, earlier, logits) => {
    for (let k = 0; k < levels; k += 1) logits[k] = parameters[at + channel * levels + k];
  },

  // Σ_m π_m (σ((e₊ − μ)/s) − σ((e₋ − μ)/s)), the components reweighted by how likely each found the channels before.
  logistic_mixture: ({ levels, components, channels }) => {
    const share = 2 / (levels - 1);
    function bin(mean, logScale, level) {
      const sharp = Math.exp(-logScale);
      const edge = (side) => ((2 * level + side) / (levels - 1) - 1 - mean) * sharp;
      const [isFirst, isLast] = [level === 0, level === levels - 1];
      const width = share * sharp;
      const inner = width > 1e-5 ? Math.log(-Math.expm1(-width)) : Math.log(share) - logScale - width / 2;
      return (isLast ? 0 : logSigmoid(edge(1))) + (isFirst ? 0 : logSigmoid(-edge(-1))) + (isFirst || isLast ? 0 : inner);
    }
    return (parameters, at, channel, earlier, logits) => {
      const part = (row, m) => parameters[at + row * components + m];
      const component = (c, m) => {
        let mean = part(1 + c, m);
        for (let j = 0; j < c; j += 1) mean += Math.tanh(part(1 + 2 * channels + (c * (c - 1)) / 2 + j, m)) * (earlier[j] * share - 1);
        return [mean, Math.max(part(1 + channels + c, m), LEAST_SCALE)];
      };
      const weights = Array.from({ length: components }, (_, m) => {
        let weight = part(0, m);
        for (let c = 0; c < channel; c += 1) weight += bin(...component(c, m), earlier[c]);
        return weight;
      });
      const total = logSum(weights);
      const own = weights.map((_, m) => component(channel, m));
      for (let k = 0; k < levels; k += 1) logits[k] = logSum(weights.map((weight, m) => weight - total + bin(...own[m], k)));
    };
  },
};

// Logits become probabilities at a temperature, in the same array.
function softened(logits, temperature) {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let k = 0; k < logits.length; k += 1) sum += logits[k] = Math.exp((logits[k] - most) / temperature);
  for (let k = 0; k < logits.length; k += 1) logits[k] /= sum;
  return logits;
}

// The number of levels k with P(level ≤ k) ≤ u.
function drawLevel(probabilities, uniform) {
  let [level, cumulative] = [0, probabilities[0]];
  while (level < probabilities.length - 1 && cumulative <= uniform) cumulative += probabilities[++level];
  return level;
}
