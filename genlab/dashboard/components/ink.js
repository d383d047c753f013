// What the components share: images drawn in the theme's own ink on its own paper. It is put before each component's script.

// As large as there is room for. Every pixel of an image gets the same whole number of device pixels, so that none looks wider
// than its neighbour; only where there are too few of them is the picture shrunk.
function fitCanvas(canvas, width, height, available) {
  const fitting = (available * devicePixelRatio) / width;
  const scale = (fitting < 1 ? fitting : Math.floor(fitting)) / devicePixelRatio;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.style.width = `${width * scale}px`;
  canvas.style.height = `${height * scale}px`;
}

function colourOf(element) {
  return getComputedStyle(element).color;
}

function inkAndPaper(canvas) {
  const style = getComputedStyle(canvas);
  return [channelsOf(style.color), channelsOf(style.backgroundColor)];
}

function channelsOf(colour) {
  return colour.match(/[\d.]+/g).slice(0, 3).map(Number);
}

function mix(paper, ink, share) {
  return paper.map((value, channel) => value + (ink[channel] - value) * share);
}

function setPixel(image, x, y, [red, green, blue]) {
  image.data.set([red, green, blue, 255], 4 * (y * image.width + x));
}
