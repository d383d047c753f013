// Letters: a key ticks the checkbox of its letter. The checkboxes are Streamlit's own, found by the class it makes of their keys.
// The hint appears only here, so it appears only when the keys work.

let boxes = {};
let button = null;
let listening = false;

export default function ({ data, parentElement }) {
  boxes = data.boxes;
  button = data.button;
  parentElement.querySelector(".letters").textContent = data.hint;
  if (!listening) document.addEventListener("keydown", press, true);
  listening = true;
  return () => {
    document.removeEventListener("keydown", press, true);
    listening = false;
  };
}

function press(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || isTyping(event.target)) return;
  if (event.key === "Enter" && event.target.matches("input[type=checkbox]")) return enter(event);
  const key = boxes[event.key.toLowerCase()];
  const box = key && document.querySelector(`.st-key-${key} input[type=checkbox]`);
  if (!box) return;
  event.preventDefault();
  box.click();
  box.focus();
}

// Streamlit's own shortcut does not hear a key while a checkbox has the focus.
function enter(event) {
  const pressed = button && document.querySelector(`.st-key-${button} button`);
  if (!pressed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  pressed.click();
}

function isTyping(element) {
  return element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox])");
}
