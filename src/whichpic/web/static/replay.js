/* A replay by keys: left and right step, Home and End jump. The buttons do the same by mouse and touch. */
(() => {
  "use strict";
  const NAMES = { ArrowLeft: "step-back", ArrowRight: "step-on", Home: "step-first", End: "step-last" };
  const press = (name) => document.querySelector(`[data-do="${name}"]`)?.click();
  const waiting = [];

  /* Before the page is connected NiceGUI lets every click wait by itself, and a later one may come first: here they wait in turn. */
  function connected() {
    if (!window.did_handshake) return setTimeout(connected, 20);
    waiting.splice(0).forEach(press);
  }

  document.addEventListener("keydown", (event) => {
    const name = NAMES[event.key];
    if (!name || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest?.("input, textarea, select, dialog, [contenteditable]")) return;
    if (!document.querySelector(`[data-do="${name}"]`)) return;
    event.preventDefault();
    if (window.did_handshake && !waiting.length) return press(name);
    if (waiting.push(name) === 1) connected();
  });
})();
