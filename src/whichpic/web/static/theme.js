// Loaded in the head and not deferred: light or dark before the first paint, and the language that an address asks for.
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const kept = () => {
    try {
      return localStorage.getItem("whichpic.theme");
    } catch {
      return null; // a browser that keeps nothing
    }
  };
  const put = (theme) => {
    root.dataset.theme = themes.includes(theme) ? theme : "auto";
  };
  put(kept());
  addEventListener("storage", (event) => event.key === "whichpic.theme" && put(event.newValue));

  const address = new URL(location.href);
  const language = address.searchParams.get("lang");
  if (language === "en" || language === "zh") {
    document.cookie = `lang=${language}; path=/; max-age=31536000; samesite=lax`;
    address.searchParams.delete("lang");
    history.replaceState(history.state, "", address);
  }

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest("[data-do=theme]")) {
      const next = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
      put(next);
      try {
        localStorage.setItem("whichpic.theme", next);
      } catch {
        // it holds for this page then
      }
    }
  });
})();
