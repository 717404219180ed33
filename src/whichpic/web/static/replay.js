/* A replay by keys: left and right step, Home and End jump. The buttons do the same by mouse and touch. */
(() => {
  "use strict";
  const NAMES = { ArrowLeft: "step-back", ArrowRight: "step-on", Home: "step-first", End: "step-last" };
  document.addEventListener("keydown", (event) => {
    const name = NAMES[event.key];
    if (!name || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest?.("input, textarea, select, dialog, [contenteditable]")) return;
    const button = document.querySelector(`[data-do="${name}"]`);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
})();
