/* The page that talks about pictures: Enter sends, arrow-up edits, Escape stops; pictures are dropped, pasted or chosen;
   an answer that grows stays in view while its reader is at the end. Loaded beside page.js, on that page only. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const LARGEST = 20_000_000;
  const shown = (element) => element && element.getClientRects().length > 0;
  const trouble = (text) => $("main")?.dispatchEvent(new CustomEvent("trouble", { detail: text }));
  const press = (name) => {
    const found = [...document.querySelectorAll(`[data-do="${name}"]`)].find(shown);
    found?.click();
    return Boolean(found);
  };

  /* ---- the box */

  const size = (box) => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, innerHeight * 0.4)}px`;
  };
  document.addEventListener("input", (event) => event.target.id === "question" && size(event.target));
  document.addEventListener("keydown", (event) => {
    const box = event.target;
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && !$("dialog[open]") && (press("stop-all") || press("unedit"))) event.preventDefault();
    if (box.id !== "question") return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      box.form.requestSubmit();
    } else if (event.key === "ArrowUp" && !box.value && press("edit")) event.preventDefault();
  }, true);

  /* ---- an answer into the clipboard */

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-do=copy]");
    const text = button && $(".message-text", button.closest(".message"))?.innerText;
    if (!text) return;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const box = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(box);
      box.select();
      document.execCommand("copy"); // where the page has no right to the clipboard, as over plain HTTP
      box.remove();
      button.focus();
    }
    const words = $("span:not(.icon)", button);
    if (!words || button.dataset.told) return;
    const before = words.textContent;
    button.dataset.told = "1";
    words.textContent = button.dataset.copied;
    setTimeout(() => {
      words.textContent = before;
      delete button.dataset.told;
    }, 1500);
  });

  /* ---- pictures */

  async function send(files) {
    const says = $("#chat-files")?.dataset;
    for (const file of says ? files : []) {
      if (file.size > LARGEST) {
        trouble(says.large);
        continue;
      }
      try {
        const answer = await fetch(`${says.to}?name=${encodeURIComponent(file.name.slice(-100))}`, {
          method: "POST",
          headers: { "Content-Type": file.type.startsWith("image/") ? file.type : "application/octet-stream" },
          body: file,
        });
        if (!answer.ok) trouble((await answer.json().catch(() => ({}))).detail ?? says.failed);
      } catch {
        trouble(says.failed);
      }
    }
  }
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("change", (event) => {
    if (event.target.id !== "chat-files") return;
    send([...event.target.files]);
    event.target.value = "";
  });
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    $("main").classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || $("main")?.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    $("main").classList.remove("dropping");
    send([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((each) => each.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    send(files);
  });

  /* ---- the end of the talk stays in view */

  let atEnd = true;
  // On a telephone the settings are below the talk: the end is that of the talk, and not of the page.
  const room = () => ($(".composer")?.parentElement.getBoundingClientRect().bottom ?? 0) - innerHeight;
  addEventListener("scroll", () => (atEnd = Math.abs(room()) < 120), { passive: true });
  let due = false;
  new MutationObserver((changes) => {
    const grew = changes.some((each) => each.target.closest?.(".messages") ?? each.target.parentElement?.closest(".messages"));
    if (!grew || due || !atEnd || !$(".message-text[aria-busy]")) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      scrollBy({ top: room() });
      atEnd = true;
    });
  }).observe(document.documentElement, { childList: true, characterData: true, subtree: true });
})();
