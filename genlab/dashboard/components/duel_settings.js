// The settings of the GAN in the plane, their controls, and the objective with its numbers.

const [LN2, LN4] = [Math.LN2, 2 * Math.LN2];

// What each loss is called, term by term, and what D's and G's are at the equilibrium, where D can only guess.
const TERMS = {
  nonsaturating: { real: "−E ln D(x)", fake: "−E ln(1 − D(G(z)))", g: "−E ln D(G(z))", idealD: [LN4, "ln 4"], idealG: [LN2, "ln 2"] },
  minimax: { real: "−E ln D(x)", fake: "−E ln(1 − D(G(z)))", g: "E ln(1 − D(G(z)))", idealD: [LN4, "ln 4"], idealG: [-LN2, "−ln 2"] },
  wasserstein: { real: "−E D(x)", fake: "E D(G(z))", g: "−E D(G(z))", idealD: [0, "0"] },
  hinge: { real: "E max(0, 1 − D(x))", fake: "E max(0, 1 + D(G(z)))", g: "−E D(G(z))", idealD: [2, "2"], idealG: [0, "0"] },
  relativistic: { real: "E softplus(D(G(z)) − D(x))", g: "E softplus(D(x) − D(G(z)))", idealD: [LN2, "ln 2"], idealG: [LN2, "ln 2"] },
};
const penaltyOf = (loss) => (loss === "wasserstein" ? "γ E(|∇D| − 1)²" : "γ/2 E|∇D|²");
// These say how likely a point is to be real; a critic's scores mean nothing by themselves.
const isProbability = (loss) => loss === "nonsaturating" || loss === "minimax";

// What the browser alone decides; all other choices come from Python. A rate's slider goes by ratios, `none` stands below the least.
const PACE = { name: "pace", words: "steps a picture", whole: [1, 20] };
const STEPS_A_DECADE = 12;

// A labelled control; `changed(value)` is called when it was let go, and `show(value)` sets it.
function createControl({ words, options, rates, whole, none }, changed) {
  const output = element("b");
  const label = element("label", {}, element("span", {}, words, ...(options ? [] : [output])));
  const control = options
    ? element("select", {}, ...options.map(([value, text]) => element("option", { value }, text)))
    : element("input", { type: "range", step: 1 });
  control.setAttribute("aria-label", words); // without it the options or the value would belong to the name
  label.append(control);
  const last = rates ? Math.round(STEPS_A_DECADE * Math.log10(rates[1] / rates[0])) : 0;
  const placeOf = (rate) => (rate === 0 ? -1 : Math.round(STEPS_A_DECADE * Math.log10(rate / rates[0])));
  const rateAt = (place) => (place < 0 ? 0 : Number((rates[0] * 10 ** (place / STEPS_A_DECADE)).toPrecision(2)));
  if (rates) fill(control, { min: none ? -1 : 0, max: last }, []);
  if (whole) fill(control, { min: whole[0], max: whole[1] }, []);

  function read() {
    if (options) return options[control.selectedIndex][0];
    return rates ? rateAt(Number(control.value)) : Number(control.value);
  }

  function say(value) {
    output.textContent = value === 0 ? "none" : String(value);
    control.setAttribute("aria-valuetext", output.textContent);
  }

  function show(value) {
    control.value = rates ? placeOf(value) : value;
    if (!options) say(value);
  }

  if (!options) control.oninput = () => say(read());
  control.onchange = () => changed(read());
  return { label, show };
}

// One player's objective: every term with its number below it. It is built once for a loss; then only numbers change.
function writeObjective(host, who, terms, ideal) {
  const words = [who, ...terms.map(([text]) => text)].join();
  if (host.dataset.words !== words) {
    host.dataset.words = words;
    const shown = terms.map(([text]) => element("span", { class: "term" }, element("span", {}, text), element("b")));
    const added = shown.flatMap((term, i) => (i ? [element("b", {}, "+"), term] : [term]));
    const sum = terms.length > 1 ? [element("b", {}, "="), element("b", { class: "sum" })] : [];
    if (terms.length === 1) shown[0].lastChild.classList.add("sum");
    host.replaceChildren(element("b", {}, `${who} minimises`), ...added, ...sum, element("span", { class: "quiet" }, idealInWords(ideal)));
  }
  const written3 = (value) => (value === undefined ? "–" : written(value, 3));
  host.querySelectorAll(".term b").forEach((node, i) => (node.textContent = written3(terms[i][1])));
  if (terms.length > 1) host.querySelector("b.sum").textContent = written3(terms[0][1] === undefined ? undefined : terms.reduce((sum, [, value]) => sum + value, 0));
}

function idealInWords(ideal) {
  if (!ideal) return "";
  const [value, name] = ideal;
  return `at equilibrium ${name}${name === String(value) ? "" : ` = ${written(value, 3)}`}`;
}
