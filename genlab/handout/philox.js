// NumPy's generator Philox4x64-10 (Salmon et al. 2011) for a key: the uniforms that `genlab sample --seed` draws with, so that a seed
// means the same here. Words of 64 bits are BigInts; four of them come from one count.

const WORD = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];

function philoxWords(key, count) {
  let [a, b, c, d] = [BigInt(count), 0n, 0n, 0n];
  let [first, second] = [BigInt(key) & WORD, 0n];
  for (let round = 0; round < 10; round += 1) {
    const [one, other] = [MULTIPLIERS[0] * a, MULTIPLIERS[1] * c];
    [a, b, c, d] = [(other >> 64n) ^ b ^ first, other & WORD, (one >> 64n) ^ d ^ second, one & WORD];
    first = (first + WEYL[0]) & WORD;
    second = (second + WEYL[1]) & WORD;
  }
  return [a, b, c, d];
}

// Numbers in [0, 1) from the given place of the key's sequence on.
function uniformsOf(key, from, length) {
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; ) {
    const words = philoxWords(key, Math.floor((from + i) / 4) + 1); // NumPy counts from 1
    for (let at = (from + i) % 4; at < 4 && i < length; at += 1, i += 1) numbers[i] = Number(words[at] >> 11n) * 2 ** -53;
  }
  return numbers;
}

// Standard normal numbers, by Box and Muller; NumPy makes its own in another way.
function normalsOf(key, length) {
  const uniforms = uniformsOf(key, 0, 2 * length);
  return Float64Array.from({ length }, (_, i) => Math.sqrt(-2 * Math.log1p(-uniforms[2 * i])) * Math.cos(2 * Math.PI * uniforms[2 * i + 1]));
}
