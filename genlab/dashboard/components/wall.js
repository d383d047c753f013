// A wall of images. If it is to be drawn, all images grow together, value by value, and then it stays still.

export default mounts(createWall);

function createWall(root) {
  const list = root.querySelector(".images");
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  let shown = null;
  let canvases = [];
  let begun = 0;
  let frame = 0;

  function show(data) {
    const isNew = shown?.id !== data.id;
    if (isNew) {
      const [channels, height, width] = data.shape;
      shown = { ...data, channels, height, width, values: new Uint8Array(bytes(data.values)) };
      root.querySelector(".wall").classList.toggle("quantities", data.accent);
      build();
      begun = performance.now();
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(tick);
    }
    paint();
  }

  function build() {
    canvases = Array.from({ length: shown.count }, (_, n) => {
      const item = document.createElement("li");
      item.innerHTML = '<div class="frame"><canvas role="img"></canvas></div>';
      const canvas = item.querySelector("canvas");
      canvas.setAttribute("aria-label", `${shown.alt}, ${n + 1} of ${shown.count}`);
      if (shown.given > 0 && shown.given < shown.height) {
        const edge = document.createElement("div");
        edge.className = "edge";
        edge.style.top = `${(100 * shown.given) / shown.height}%`;
        canvas.after(edge);
      }
      if (shown.words[n]) {
        const words = document.createElement("span");
        words.className = "words";
        words.textContent = shown.words[n];
        item.append(words);
      }
      return canvas;
    });
    list.replaceChildren(...canvases.map((canvas) => canvas.closest("li")));
  }

  function share() {
    if (!shown.seconds || stillness.matches) return 1;
    return Math.min(1, (performance.now() - begun) / 1000 / shown.seconds);
  }

  function tick() {
    paint();
    if (share() < 1) frame = requestAnimationFrame(tick);
  }

  // How wide an image may be: as wide as the most columns allow that are not too narrow to be seen. Rows are whole where that costs less
  // than half of the columns.
  function room() {
    const { count, large, narrowest } = shown;
    const gap = parseFloat(getComputedStyle(list).columnGap);
    const most = Math.max(1, Math.min(count, Math.floor((list.clientWidth + gap) / (narrowest + gap))));
    const whole = Array.from({ length: most }, (_, n) => most - n).find((columns) => count % columns === 0);
    const columns = 2 * whole > most ? whole : most;
    list.style.gridTemplateColumns = `repeat(${columns}, minmax(0, max-content))`;
    return Math.min(large, (list.clientWidth - gap * (columns - 1)) / columns);
  }

  function paint() {
    if (!shown || !canvases.length) return;
    const { width, height, channels, values, given } = shown;
    const large = room();
    const pixels = width * height * channels;
    const known = given * width * channels;
    const drawn = known + Math.floor(share() * (pixels - known));
    const colours = inkAndPaper(canvases[0]);
    canvases.forEach((canvas, n) => {
      fitCanvas(canvas, width, height, large);
      const image = new ImageData(width, height);
      fillImage(image, 0, 0, values.subarray(n * pixels, (n + 1) * pixels), drawn, shown, colours);
      canvas.getContext("2d").putImageData(image, 0, 0);
    });
  }

  const resized = new ResizeObserver(paint);
  resized.observe(root.querySelector(".wall"));

  function close() {
    cancelAnimationFrame(frame);
    resized.disconnect();
  }

  return { show, close };
}
