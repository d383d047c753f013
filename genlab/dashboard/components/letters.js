// Letters: a key ticks the checkbox of its letter. The checkboxes are Streamlit's own, found by the class it makes of their keys.

let boxes = {};
let listening = false;

export default function ({ data }) {
  boxes = data.boxes;
  if (!listening) document.addEventListener("keydown", press);
  listening = true;
  return () => {
    document.removeEventListener("keydown", press);
    listening = false;
  };
}

function press(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || isTyping(event.target)) return;
  const key = boxes[event.key.toLowerCase()];
  const box = key && document.querySelector(`.st-key-${key} input[type=checkbox]`);
  if (!box) return;
  event.preventDefault();
  box.click();
  box.focus();
}

function isTyping(element) {
  return element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox])");
}
