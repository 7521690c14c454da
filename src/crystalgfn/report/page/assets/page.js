// The theme follows the system until the reader chooses; then figures, table and viewer start.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  document.getElementById("theme").textContent = name === "dark" ? "Light" : "Dark";
  redrawFigures();
  app.viewer?.draw();
}
let chosen = false;
document.getElementById("theme").addEventListener("click", () => {
  chosen = true;
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
});
dark.addEventListener("change", () => { if (!chosen) setTheme(dark.matches ? "dark" : "light"); });
setTheme(dark.matches ? "dark" : "light");

unpacked("packed-data").then((text) => {
  const data = JSON.parse(text);
  if (data.table) app.table = new Candidates(data);
  if (data.atoms && Object.keys(data.atoms).length) app.viewer = new Viewer(data);
  watchFigures(data.figures);
  document.body.dataset.ready = "true";
}).catch((error) => console.error(error));
