// Letters: a key ticks the checkbox of its letter. The checkboxes are Streamlit's own, found by the class it makes of their keys.
// The hint appears only here, so it appears only when the keys work.

let boxes = {};
let button = null;
let latest = null;

export default function ({ data, parentElement }) {
  boxes = data.boxes;
  button = data.button;
  const hint = parentElement.querySelector(".letters");
  const mine = (latest = {});
  hint.textContent = "";
  // Streamlit may show the button a moment later than this.
  const tell = () => {
    if (latest !== mine) return;
    if (findButton()) hint.textContent = data.hint;
    else requestAnimationFrame(tell);
  };
  tell();
  document.addEventListener("keydown", press, true); // adding the same listener again changes nothing
  return () => {
    // Whoever came later still listens: the next one may be there before the last one goes.
    if (latest !== mine) return;
    latest = null;
    document.removeEventListener("keydown", press, true);
  };
}

function press(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || isTyping(event.target)) return;
  if (event.key === "Enter") return enter(event);
  const key = boxes[event.key.toLowerCase()];
  const box = key && document.querySelector(`.st-key-${key} input[type=checkbox]`);
  if (!box) return;
  event.preventDefault();
  box.click();
  box.focus();
}

// Streamlit's own shortcut for a button does not hear a key while a checkbox has the focus. Who has tabbed to another button or a
// link means that one.
function enter(event) {
  const elsewhere = event.target !== document.body && !event.target.matches("input[type=checkbox], main, section, div");
  const pressed = findButton();
  if (elsewhere || !pressed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  pressed.click();
}

function findButton() {
  return document.querySelector(`.st-key-${button} button`);
}

function isTyping(element) {
  return element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox])");
}
