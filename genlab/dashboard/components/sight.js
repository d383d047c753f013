// What the prediction of one pixel depends on, as the theatre and the receptive field show it.

const HATCH = 6; // dots from one line of a hatching to the next

function decodeSight(data) {
  const [channels, height, width] = data.shape;
  return {
    ...data,
    channels,
    height,
    width,
    values: new Uint8Array(bytes(data.values)),
    felt: new Float32Array(bytes(data.felt)),
    seen: new Uint8Array(bytes(data.seen)),
  };
}

// The image that is looked at, faint; felt pixels in the colour of the canvas's border, pixels out of sight hatched in `blue`.
function paintSight(canvas, sight, available, blue) {
  const { width, height, row, column } = sight;
  const dots = Math.max(4, Math.floor(available / width)); // a pixel: enough for a hatching
  fitCanvas(canvas, width * dots, height * dots, width * dots);
  const [ink, paper] = inkAndPaper(canvas);
  const accent = channelsOf(getComputedStyle(canvas).borderColor);
  const image = new ImageData(width * dots, height * dots);
  for (let y = 0; y < height * dots; y += 1) {
    for (let x = 0; x < width * dots; x += 1) {
      const pixel = Math.floor(y / dots) * width + Math.floor(x / dots);
      setPixel(image, x, y, sightColour(sight, pixel, row * width + column, (x + y) % HATCH === 0, { ink, paper, accent, blue }));
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function sightColour({ channels, levels, values, felt, seen }, pixel, here, hatched, { ink, paper, accent, blue }) {
  if (pixel > here) return mix(paper, ink, 0.08);
  const own = values.subarray(pixel * channels, (pixel + 1) * channels);
  const brightness = own.reduce((sum, value) => sum + value, 0) / channels / (levels - 1);
  const drawn = mix(paper, ink, 0.45 * brightness);
  if (pixel === here) return drawn;
  if (!seen[pixel]) return hatched ? mix(drawn, blue, 0.8) : drawn;
  return mix(drawn, accent, 0.12 + 0.88 * Math.sqrt(felt[pixel]));
}

function sightInWords({ row, column, counts }) {
  const blind = counts.earlier - counts.seen;
  return (
    `To predict row ${row + 1}, column ${column + 1}, the model feels <b>${counts.seen}</b> of the ${counts.earlier} pixels before it` +
    (blind ? `; ${blind} are out of sight.` : ".") +
    ` Of the later ones it feels <b>${counts.leaked}</b>.`
  );
}
