// A map of what becomes of toy GANs: every cell is a setting, its colour says how many of its runs draw faces, and how many of those
// ignore z. The map is drawn anew whenever Python has computed further. Arrow keys and the mouse choose a cell; Enter or a click shows
// its runs, of which one can be opened.

export default mounts(function createPhases(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const canvas = root.querySelector("canvas");
  let data = null;
  let cursor = null; // [row, column]
  let chosen = null; // the cell whose runs are shown
  let shares = {};

  function show(received) {
    const isNew = data?.id !== received.id;
    data = received;
    shares = { varied: decode(data.varied), same: decode(data.same) };
    if (isNew) {
      canvas.width = data.xs.length;
      canvas.height = data.ys.length;
      cursor = [Math.floor(data.ys.length / 2), Math.floor(data.xs.length / 2)];
      chosen = null;
      axes();
    }
    // A cell that the address names can be chosen only once it is computed.
    if (String(data.chosen) !== String(chosen)) cursor = data.chosen ?? cursor;
    chosen = data.chosen;
    paint();
    write();
    paintRuns();
  }

  const decode = (text) => new Uint16Array(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);

  function axes() {
    part("xlabel").textContent = data.x_name;
    part("ylabel").textContent = data.y_name;
    part("xticks").replaceChildren(...data.x_ticks.map(({ text, at }) => place(element("span", {}, text), { left: at })));
    part("yticks").replaceChildren(...data.y_ticks.map(({ text, at }) => place(element("span", {}, text), { bottom: at })));
    part("legend").querySelector("ul").replaceChildren(
      ...data.legend.map(({ name, text }) => element("li", {}, element("i", { class: `swatch-${name}` }), element("span", {}, text))),
    );
  }

  function place(node, where) {
    for (const [side, share] of Object.entries(where)) node.style[side] = `${100 * share}%`;
    return node;
  }

  // Row 0 is at the bottom, as on paper.
  function paint() {
    const [varied, same, none] = ["varied", "same", "none"].map((name) => colourChannels(part(`swatch-${name}`)));
    const image = new ImageData(data.xs.length, data.ys.length);
    for (let row = 0; row < data.ys.length; row += 1) {
      for (let column = 0; column < data.xs.length; column += 1) {
        const cell = row * data.xs.length + column;
        if (row >= data.rows_known) continue;
        const [a, b] = [shares.varied[cell] / data.runs_per_cell, shares.same[cell] / data.runs_per_cell];
        const mixed = (channel) => none[channel] * (1 - a - b) + varied[channel] * a + same[channel] * b;
        setPixel(image, column, data.ys.length - 1 - row, [mixed(0), mixed(1), mixed(2)]);
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    part("progress").firstChild.style.width = `${100 * data.done}%`;
    part("progress").setAttribute("aria-valuenow", Math.round(100 * data.done));
    part("status").textContent = data.status;
  }

  function colourChannels(node) {
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    probe.fillStyle = getComputedStyle(node).backgroundColor;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3);
  }

  function write() {
    const [row, column] = cursor;
    const cell = row * data.xs.length + column;
    const [width, height] = [100 / data.xs.length, 100 / data.ys.length];
    Object.assign(part("cursor").style, { left: `${column * width}%`, bottom: `${row * height}%`, width: `${width}%`, height: `${height}%` });
    const where = `${data.x_name} ${data.xs[column]}, ${data.y_name} ${data.ys[row]}`;
    const counts =
      row >= data.rows_known
        ? "not computed yet"
        : `${shares.varied[cell]} of ${data.runs_per_cell} runs draw faces and heed z, ${shares.same[cell]} draw faces but ignore z, ` +
          `${data.runs_per_cell - shares.varied[cell] - shares.same[cell]} draw no faces`;
    part("readout").textContent = `${where}: ${counts}.`;
    part("plane").setAttribute("aria-label", `Phase diagram. ${where}: ${counts}. Arrow keys move, Enter shows the runs of this cell.`);
  }

  function paintRuns() {
    part("runs").replaceChildren(
      ...data.runs.map((run) => {
        const button = thumbnail("button", run.picture, `run of seed ${run.seed}, ${run.words}: open it`);
        button.classList.add(run.kind);
        button.title = run.words;
        button.onclick = () => phases.trigger("opened", run.seed);
        return button;
      }),
    );
    part("hint").textContent = data.runs.length ? data.runs_words : "Click a cell, or choose one with the arrow keys and press Enter, to see its runs.";
  }

  const choose = () => phases.send("cell", cursor);

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const within = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
    const down = within((event.clientY - box.top) / box.height, data.ys.length);
    return [data.ys.length - 1 - down, within((event.clientX - box.left) / box.width, data.xs.length)];
  }

  part("plane").onclick = (event) => {
    cursor = cellAt(event);
    write();
    choose();
  };
  part("plane").onkeydown = (event) => {
    const far = event.shiftKey ? 10 : 1;
    const moves = { ArrowUp: [far, 0], ArrowDown: [-far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far], Enter: [0, 0], " ": [0, 0] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    if (event.key === "Enter" || event.key === " ") return choose();
    const sizes = [data.ys.length, data.xs.length];
    cursor = cursor.map((value, i) => Math.max(0, Math.min(sizes[i] - 1, value + move[i])));
    write();
  };

  const phases = { show };
  return phases;
});
