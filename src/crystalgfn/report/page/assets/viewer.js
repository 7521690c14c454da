// The viewer of the page: a list of structures, and the one that was chosen in 3D.
class Viewer {
  constructor(data) {
    this.scenes = data.atoms;
    this.elements = data.elements;
    this.patterns = data.patterns;
    this.place = document.getElementById("viewer");
    this.view = new Viewer3D(this.place, data.elements, () => [css("--card"), css("--muted")]);
    for (const kind of ["bonds", "polyhedra"]) {
      const box = document.getElementById(`viewer-${kind}`);
      box.addEventListener("input", () => { this.view.shown[kind] = box.checked; this.view.draw(); });
    }
    this.list(data.table);
  }

  list(table) {
    const by = Object.fromEntries(table.columns.map((c) => [c.key, c]));
    const energy = table.columns.find((c) => c.key.includes("e_above_hull")) ?? table.columns.find((c) => c.key.includes("formation_energy"));
    const place = document.getElementById("viewer-list");
    this.names = {};
    let first = null;
    for (let i = 0; i < table.n; i++) {
      const number = by.row.values[i];
      if (!this.scenes[number]) continue;
      first ??= number;
      this.names[number] = `${by.formula.values[i]}, ${by.space_group.symbols[i]}`;
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.row = number;
      const name = document.createElement("b");
      name.append(formulaNode(by.formula.values[i]), doubtNode(by.flags?.values[i]));
      const note = document.createElement("span");
      const value = energy?.values[i];
      note.append(symbolNode(by.space_group.symbols[i]), `${value === null || value === undefined ? "" : ` · ${value.toFixed(3).replace("-", "−")} eV`}`);
      button.append(name, note);
      button.addEventListener("click", () => this.show(number));
      const item = document.createElement("li");
      item.append(button);
      place.append(item);
    }
    if (first !== null) this.show(first);
  }

  show(number, scroll = false) {
    this.number = number;
    for (const button of document.querySelectorAll("#viewer-list button"))
      button.setAttribute("aria-pressed", String(button.dataset.row === String(number)));
    this.place.setAttribute("aria-label", `Structure of ${this.names[number]}: atoms in the conventional cell. Arrow keys turn it, plus and minus zoom.`);
    document.getElementById("viewer-legend").replaceChildren(...legendOf(this.scenes[number], this.elements));
    if (scroll) document.getElementById("structures-view").scrollIntoView({ block: "center" });
    this.view.show(this.scenes[number]);
    this.pattern(this.patterns[number]);
  }

  pattern(peaks) { // reflections: 2 theta, intensity, indices
    document.getElementById("pattern").hidden = !peaks?.length;
    if (!peaks?.length) return;
    const [x, y, indices] = [0, 1, 2].map((i) => peaks.map((peak) => peak[i]));
    const strongest = y.indexOf(Math.max(...y));
    document.getElementById("plot-pattern").setAttribute("aria-label",
      `X-ray powder pattern of ${this.names[this.number]}: ${x.length} reflections, the strongest at ${x[strongest]} degrees, ${indices[strongest]}.`);
    later({ key: "pattern",
      data: [{ type: "bar", x, y, width: 0.35, customdata: indices,
        hovertemplate: "%{customdata}<br>2θ = %{x:.2f}°, %{y:.1f} %<extra></extra>" }],
      layout: { hovermode: "x", xaxis: { title: { text: "2θ (degree)" }, range: [10, 90] },
        yaxis: { title: { text: "intensity (%)" }, range: [0, 105] } } });
  }

  draw() {
    this.view.draw();
  }
}
