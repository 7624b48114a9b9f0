// Runs before the first paint, so that a stored theme never flashes. Kept out of index.html: the server's
// content security policy allows no inline scripts.
(() => {
  const stored = localStorage.getItem("morpheus.theme");
  const dark =
    stored === "dark" || (stored !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
