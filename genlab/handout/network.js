// A plain network from a code to a picture or to a point.

function create(data, tensors) {
  const all = tensors.map(({ values }) => values);
  const weights = new Float32Array(all.reduce((sum, values) => sum + values.length, 0));
  all.reduce((at, values) => (weights.set(values, at), at + values.length), 0);
  if (data.likelihood !== "point") return { data, expected: createDecoder({ ...data, weights }).expected };
  const run = createNetwork(data.steps, weights);
  const point = new Float64Array(data.shape[0]);
  return { data, expected: (code) => (run(code).forEach((value, i) => (point[i] = value * data.scale + data.middle[i])), point) };
}
