// Both networks of the toy GAN in one micro-step: z and G's four neurons at the left, the picture in the middle, D at the right.
// Numbers travel along the edges that are at work, forwards for a judgement, backwards for a gradient.

const HEIGHT = 330;
const SIZE = 44;

export default mounts(function createMicroscope(root) {
  const host = root.querySelector(".net");
  const image = drawn("svg", { height: HEIGHT, role: "img" });
  host.append(image);
  let data = null;

  function show(received) {
    data = received;
    paint();
  }

  function paint() {
    const width = host.clientWidth;
    if (!data || !width) return;
    const wide = width > 560;
    const columns = { z: 20, picture: wide ? width * 0.4 : width * 0.36, d: wide ? width * 0.76 : width * 0.74, out: width - 4 };
    const rows = PIXELS.map((_, i) => 46 + i * 76);
    const middle = HEIGHT / 2 - 5;
    image.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    image.setAttribute("class", data.direction);
    const generator = drawn("g", { class: data.generator ? "awake" : "asleep" });
    const discriminator = drawn("g", { class: data.discriminator ? "awake" : "asleep" });
    rows.forEach((y, i) => {
      const fromZ = `M${columns.z + 18} ${middle} L${columns.picture - SIZE / 2 - 4} ${y}`;
      const toD = `M${columns.picture + SIZE / 2 + 4} ${y} L${columns.d - 36} ${middle + (y - middle) * 0.12}`;
      const share = wide ? 0.5 : 0.56;
      edge(generator, fromZ, data.v[i], data.generator, share, data.v_change?.[i]);
      edge(discriminator, toD, data.w[i], data.discriminator, 0.44, data.w_change?.[i]);
    });
    generator.append(drawn("circle", { class: `cell ${data.generator ? "awake" : ""}`, cx: columns.z, cy: middle, r: 19 }));
    generator.append(label(columns.z, middle + 5, "z", "name"), label(columns.z - 18, middle + 40, data.z === null ? "" : written(data.z, 3), "", "start"));
    if (wide) generator.append(label(columns.z + 40, 22, "generator G", "quiet", "start"));
    if (wide) discriminator.append(label(columns.d, 22, "discriminator D", "quiet"));
    discriminator.append(drawn("circle", { class: `cell ${data.discriminator ? "awake" : ""}`, cx: columns.d, cy: middle, r: 34 }));
    discriminator.append(label(columns.d, middle + 7, "σ", "name"));
    discriminator.append(changing(columns.d, middle + 54, `b ${written(data.b, 3)}`, data.b_change));
    if (data.out !== null) {
      discriminator.append(drawn("path", { class: "edge", d: `M${columns.d + 36} ${middle} L${columns.out} ${middle}`, "stroke-width": 2 }));
      discriminator.append(label(columns.out, middle - 12, written(data.out, wide ? 3 : 2), "big", "end"), label(columns.out, middle + 22, `${data.out_name} = D(${data.source})`, "quiet", "end"));
    }
    image.replaceChildren(generator, discriminator, ...pictureOf(columns.picture, rows, wide));
    root.querySelector(".words").textContent = data.words;
    image.setAttribute("aria-label", data.words);
  }

  function edge(group, path, weight, awake, share, change) {
    const line = drawn("path", { d: path, class: `edge ${signOf(weight)}`, "stroke-width": 1 + 2 * Math.sqrt(Math.abs(weight)) });
    group.append(line);
    if (awake) group.append(drawn("path", { d: path, class: "flow" }));
    const at = line.getPointAtLength(share * line.getTotalLength());
    const texts = changing(at.x, at.y + 5, written(weight, 2), change);
    const extent = 8 * Math.max(...[...texts.childNodes].map((node) => node.textContent.length));
    group.append(drawn("rect", { class: "pill", rx: 4, x: at.x - extent / 2, y: at.y - 11, width: extent, height: change === undefined ? 22 : 38 }), texts);
  }

  // A number, and below it by how much it has just moved.
  function changing(x, y, text, change) {
    const group = drawn("g", {}, label(x, y, text, change === undefined ? "" : "changed"));
    if (change !== undefined) group.append(label(x, y + 16, `${change < 0 ? "" : "+"}${written(change, 4)}`, signOf(change)));
    return group;
  }

  function pictureOf(x, rows, wide) {
    const nodes = rows.flatMap((y, i) => {
      const value = data.picture?.[i];
      const square = drawn("rect", { class: "pixel", x: x - SIZE / 2, y: y - SIZE / 2, width: SIZE, height: SIZE, rx: 3 });
      square.style.fill = value === undefined ? "none" : grey(value);
      const number = label(x, y + 5, value === undefined ? "" : written(value), "");
      number.style.fill = value < 0.5 ? "var(--ink)" : "var(--paper)";
      return [square, number, ...(data.generator ? [biasOf(x, y + SIZE / 2 + 15, i, wide)] : [])];
    });
    return [...nodes, label(x, 16, data.source === "f" ? "a real face f" : data.picture ? "a fake x" : "", "quiet")];
  }

  // Where there is no room for it, by how much a bias has moved is left to the equations.
  function biasOf(x, y, i, wide) {
    const change = data.c_change?.[i];
    const text = label(x, y, `c ${written(data.c[i])}`, change === undefined ? "" : "changed");
    if (wide && change !== undefined) text.append(drawn("tspan", { class: signOf(change), "font-weight": 400 }, ` ${change < 0 ? "" : "+"}${written(change, 4)}`));
    return text;
  }

  function label(x, y, text, style, anchor = "middle") {
    return drawn("text", { x, y, class: style, "text-anchor": anchor }, text);
  }

  const resized = new ResizeObserver(paint);
  resized.observe(host);
  return { show, close: () => resized.disconnect() };
});
