/* What a page does without the server: keys, drops and pastes, dialogs, where the focus is. It mostly presses buttons that
   carry data-do names, so whatever works by a key works by mouse and touch, too. keys.json is the table of keys. */
(() => {
  "use strict";
  const LARGEST = 20_000_000;
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const main = () => $("main");
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const shown = (element) => element && element.getClientRects().length > 0;
  const typing = (element) =>
    element && (element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=file], [type=range])"));
  const trouble = (text) => main()?.dispatchEvent(new CustomEvent("trouble", { detail: text }));

  /* ---- keys */

  const NAMES = { "←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown", Esc: "Escape" };
  const bound = new Map(); // key -> { do, on }
  let early = []; // what is pressed before the table is there
  fetch("/static/keys.json")
    .then((answer) => answer.json())
    .then((rows) => rows.forEach((row) => row.keys.forEach((key) => bound.set(NAMES[key] ?? key, row))))
    .catch(() => {})
    .finally(() => {
      const pressed = early;
      early = null;
      pressed.forEach(key);
    });

  const tiles = () => all(".grid .tile").filter(shown);
  const opener = (tile) => $("[data-do=open]", tile);
  const current = () => document.activeElement?.closest?.(".tile") ?? $(".tile:hover");

  function press(name, root = document) {
    const pressed = all(`[data-do="${name}"]`, root).find((each) => each.matches("button, a") && shown(each) && !each.disabled);
    pressed?.click();
    return Boolean(pressed);
  }

  function move(key) {
    const every = tiles();
    if (!every.length) return false;
    const from = document.activeElement?.closest?.(".tile");
    if (!from) return focus(opener(every[0]));
    const at = every.indexOf(from);
    if (key === "ArrowLeft") return focus(opener(every[Math.max(at - 1, 0)]));
    if (key === "ArrowRight") return focus(opener(every[Math.min(at + 1, every.length - 1)]));
    const here = from.getBoundingClientRect();
    const middle = (box) => box.left + box.width / 2;
    const down = key === "ArrowDown";
    const beyond = every
      .map((tile) => ({ tile, box: tile.getBoundingClientRect() }))
      .filter(({ box }) => (down ? box.top > here.top + 4 : box.top < here.top - 4));
    if (!beyond.length) return down ? true : focus($("#say"));
    const row = down ? Math.min(...beyond.map((e) => e.box.top)) : Math.max(...beyond.map((e) => e.box.top));
    const near = beyond
      .filter(({ box }) => Math.abs(box.top - row) < 4)
      .sort((a, b) => Math.abs(middle(a.box) - middle(here)) - Math.abs(middle(b.box) - middle(here)));
    return focus(opener(near[0].tile));
  }

  function focus(element) {
    if (!shown(element)) return false;
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
    return true;
  }

  function option(key) {
    const options = all(".options [data-do=option]").filter(shown);
    options[Number(key) - 1]?.click();
    return Number(key) <= options.length;
  }

  function close() {
    const open = $("dialog[open]");
    if (open) return false; // the browser closes it
    const menu = all("details.menu[open]").pop();
    if (menu) {
      menu.open = false;
      return focus($("summary", menu));
    }
    if (typing(document.activeElement)) {
      const first = tiles()[0];
      document.activeElement.blur();
      if (first) focus(opener(first));
      return true;
    }
    return press("stop");
  }

  function act(row, event) {
    const key = event.key;
    if (row.do === "focus") {
      const box = $("#say") ?? $("[data-do=focus]");
      box?.select?.();
      return focus(box);
    }
    if (row.do === "move") return move(key);
    if (row.do === "option") return option(key);
    if (row.do === "close") return close();
    if (row.do === "open") {
      const tile = document.activeElement === document.body && current();
      return tile ? press("open", tile) : false;
    }
    if (row.on === "tile") {
      const tile = current();
      return tile ? press(row.do, tile) : false;
    }
    return press(row.do);
  }

  /* what a key does while a dialog is open: with the picture in it, or the picture of that number */
  function within(row, key, dialog) {
    if (row.do === "move") return (key === "ArrowLeft" && press("previous", dialog)) || (key === "ArrowRight" && press("next", dialog));
    if (row.do === "option") {
      const each = all("[data-do=closest]", dialog)[Number(key) - 1];
      each?.click();
      return Boolean(each);
    }
    return (row.on === "tile" || row.do === "side-by-side") && press(row.do, dialog);
  }

  document.addEventListener("keydown", (event) => (early ? early.push(event) : key(event)));

  function key(event) {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const control = event.ctrlKey || event.metaKey;
    const row = bound.get(control ? `Ctrl+${event.key.toUpperCase()}` : event.key);
    if (!row) return;
    const over = $("dialog[open]");
    if (over) {
      if (!control && !typing(event.target) && within(row, event.key, over)) event.preventDefault();
      return;
    }
    if (typing(event.target)) {
      const down = event.key === "ArrowDown" && event.target.tagName === "INPUT";
      if (!(control || event.key === "Escape" || down)) return;
    }
    if (act(row, event)) event.preventDefault();
  }

  /* ---- one picture of the grid is a stop of the Tab key, with its buttons; the arrows go to the others */

  function stops() {
    const every = tiles();
    if (!every.length) return;
    const stop = every.find((tile) => tile.contains(document.activeElement)) ?? every.find((tile) => tile.dataset.stop) ?? every[0];
    every.forEach((tile) => {
      const here = tile === stop;
      if (here) tile.dataset.stop = "1";
      else delete tile.dataset.stop;
      all("button", tile).forEach((each) => (each.tabIndex = here ? 0 : -1));
    });
  }

  /* ---- the focus stays where it is when what has it is drawn anew */

  let held = null;
  const name = (element) => {
    const tile = element.closest("[data-picture]")?.dataset.picture;
    return { element, id: element.id.match(/^c\d+$/) ? "" : element.id, do: element.dataset.do, key: element.dataset.key, tile, area: element.closest("section, aside, form") };
  };
  document.addEventListener("focusin", (event) => {
    held = name(event.target);
    if (event.target.closest(".tile")) stops();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("button, a, input, textarea, select, summary, [tabindex]")) held = null;
  });

  function refocus() {
    const now = document.activeElement;
    if (!held || (now !== document.body && shown(now)) || $("dialog[open]")) return;
    const was = held;
    const same = (each) => shown(each) && !each.disabled && (each.dataset.key ?? "") === (was.key ?? "");
    const named = was.do ? all(`[data-do="${was.do}"]`) : [];
    const again = [
      was.element.isConnected && was.element,
      was.id && document.getElementById(was.id),
      was.tile && named.find((each) => each.closest("[data-picture]")?.dataset.picture === was.tile),
      !was.tile && was.do !== "option" && named.find(same),
      $("#found"),
      was.tile && tiles()[0] && opener(tiles()[0]),
      $(".question [data-do=option]"),
      $("#say"),
    ].find((each) => each && shown(each));
    again?.focus({ preventScroll: true });
  }

  /* ---- boxes whose text the server knows */

  function values() {
    all("input[data-value]").forEach((box) => {
      if (box.dataset.had === box.dataset.value) return;
      if (document.activeElement === box && box.value !== (box.dataset.had ?? "")) return; // somebody is changing it
      box.value = box.dataset.had = box.dataset.value;
    });
  }

  let due = false;
  const changed = () => {
    due = false;
    values();
    retype();
    stops();
    refocus();
    fold();
  };
  new MutationObserver(() => {
    if (!due) {
      due = true;
      requestAnimationFrame(changed);
    }
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-value", "hidden", "disabled"] });

  const folded = new WeakSet();
  function fold() {
    all("details[data-fold=phone]").forEach((each) => {
      if (folded.has(each)) return;
      folded.add(each);
      if (matchMedia("(max-width: 64rem)").matches) each.open = false;
    });
  }

  const submitted = {};
  document.addEventListener("submit", (event) => {
    const box = $("input[type=text], textarea", event.target);
    if (box?.id) submitted[box.id] = box.value;
  }, true);

  /* ---- what was typed is there again when the page had to load anew: the server was started again, or somebody reloads */

  const TYPED = "whichpic.typed";
  let typed = null;
  try {
    const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
    typed = reloaded && sessionStorage.getItem(TYPED);
    sessionStorage.removeItem(TYPED);
    addEventListener("pagehide", () => {
      const box = $("#say");
      if (box?.value) sessionStorage.setItem(TYPED, JSON.stringify([location.pathname, box.value]));
    });
  } catch {
    // a browser that keeps nothing
  }
  function retype() {
    const box = typed && $("#say");
    if (!box) return;
    const [place, text] = JSON.parse(typed);
    typed = null;
    if (place === location.pathname && !box.value) box.value = text;
  }

  /* ---- a picture whose file is gone says so, instead of a broken sign alone */

  document.addEventListener("error", async (event) => {
    const picture = event.target;
    const says = main()?.dataset.gone;
    if (!says || picture.tagName !== "IMG" || picture.dataset.gone === picture.src) return;
    if (!picture.src.startsWith(`${location.origin}/`)) return;  // the file that somebody just dropped
    picture.dataset.gone = picture.src;
    const answer = await fetch(picture.src).catch(() => null);
    if (answer?.status === 404) trouble(says);
  }, true);

  /* ---- a picture as the query: dropped, pasted or chosen */

  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carries(event) || !$("#picture")) return;
    event.preventDefault();
    main().classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) main()?.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    if (!carries(event) || !$("#picture")) return;
    event.preventDefault();
    main().classList.remove("dropping");
    send(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (!file || !$("#picture")) return;
    event.preventDefault();
    send(file);
  });
  document.addEventListener("change", (event) => {
    if (event.target.id !== "picture") return;
    send(event.target.files[0]);
    event.target.value = "";
  });

  function session() {
    if (main().dataset.session) return Promise.resolve(main().dataset.session);
    all("[data-do=begin]")[0]?.click();
    return new Promise((done, fail) => {
      const end = Date.now() + 10000;
      const look = () => {
        if (main().dataset.session) done(main().dataset.session);
        else if (Date.now() > end) fail(new Error("no session"));
        else setTimeout(look, 30);
      };
      look();
    });
  }

  async function send(file) {
    const says = $("#picture").dataset;
    if (!file) return;
    trouble("");
    if (file.size > LARGEST) return trouble(says.large);
    if (file.type && !file.type.startsWith("image/")) return trouble(says.kind);
    const preview = $("#dropped");
    const address = URL.createObjectURL(file);
    const picture = Object.assign(document.createElement("img"), { src: address, alt: "" });
    const words = Object.assign(document.createElement("figcaption"), { textContent: says.sending.replace("{name}", () => file.name) });
    preview.replaceChildren(picture, words);
    preview.hidden = false;
    try {
      const id = await session();
      const place = `/api/v1/albums/${encodeURIComponent(main().dataset.album)}/sessions/${encodeURIComponent(id)}/picture`;
      const answer = await fetch(`${place}?name=${encodeURIComponent(file.name)}`, {
        method: "POST",
        body: file,
        headers: { "Content-Type": file.type || "application/octet-stream" },
      });
      if (!answer.ok) {
        const told = await answer.json().catch(() => ({}));
        trouble(typeof told.detail === "string" ? told.detail : says.failed);
      }
    } catch {
      trouble(says.failed);
    } finally {
      preview.hidden = true;
      preview.replaceChildren();
      URL.revokeObjectURL(address);
    }
  }

  /* ---- dialogs, copying */

  document.addEventListener("click", (event) => {
    const copies = event.target.closest("[data-copy]");
    if (copies) copy(copies);
    const opens = event.target.closest("[data-opens]");
    const dialog = opens && document.getElementById(opens.dataset.opens);
    if (dialog && !dialog.open) dialog.showModal();
    if (event.target.matches("dialog") && beside(event)) event.target.close();
    all("details.menu[open]").forEach((menu) => menu.contains(event.target) || (menu.open = false));
  });

  function beside(event) {
    const box = event.target.getBoundingClientRect();
    return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
  }

  async function copy(from) {
    try {
      await navigator.clipboard.writeText(from.dataset.copy);
    } catch {
      const box = Object.assign(document.createElement("textarea"), { value: from.dataset.copy });
      from.after(box);
      box.select();
      document.execCommand("copy");
      box.remove();
    }
    const status = $("[role=status].unseen");
    if (status && from.dataset.copied) status.textContent = from.dataset.copied;
    from.classList.add("done");
    setTimeout(() => from.classList.remove("done"), 1500);
  }

  /* ---- what the server calls */

  window.whichpic = {
    at: (address) => location.pathname === address || history.replaceState(history.state, "", address),
    sent: (id) => {
      const box = document.getElementById(id);
      if (box && box.value === submitted[id]) box.value = box.dataset.value ?? "";
    },
    focus: (selector) => focus($(selector)),
  };
})();
