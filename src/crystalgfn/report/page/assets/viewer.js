// Structures as spheres in their cell: dragged, or turned with the arrow keys.
class Viewer {
  constructor(data) {
    this.scenes = data.atoms;
    this.elements = data.elements;
    this.canvas = document.getElementById("viewer");
    this.turned = [-1.2, 0.5]; // about the horizontal, then the vertical axis
    this.zoom = 1;
    this.list(data.table);
    const drag = { on: false };
    this.canvas.addEventListener("pointerdown", (e) => { drag.on = true; drag.x = e.clientX; drag.y = e.clientY; this.canvas.setPointerCapture(e.pointerId); });
    this.canvas.addEventListener("pointerup", () => { drag.on = false; });
    this.canvas.addEventListener("pointercancel", () => { drag.on = false; });
    this.canvas.addEventListener("pointermove", (e) => {
      if (!drag.on) return;
      this.turned[1] += (e.clientX - drag.x) / 120;
      this.turned[0] += (e.clientY - drag.y) / 120;
      drag.x = e.clientX; drag.y = e.clientY;
      this.draw();
    });
    this.canvas.addEventListener("keydown", (e) => {
      const steps = { ArrowLeft: [0, -0.15], ArrowRight: [0, 0.15], ArrowUp: [-0.15, 0], ArrowDown: [0.15, 0] };
      const zooms = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 };
      if (steps[e.key]) { this.turned[0] += steps[e.key][0]; this.turned[1] += steps[e.key][1]; }
      else if (zooms[e.key]) this.zoom *= zooms[e.key];
      else return;
      e.preventDefault();
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
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
      name.append(formulaNode(by.formula.values[i]));
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
    this.canvas.setAttribute("aria-label", `Structure of ${this.names[number]}: atoms in the conventional cell. Arrow keys turn it, plus and minus zoom.`);
    const legend = document.getElementById("viewer-legend");
    legend.replaceChildren(...[...new Set(this.scenes[number].atoms.map((a) => a[0]))].map((symbol) => {
      const item = document.createElement("span"), dot = document.createElement("i");
      dot.style.background = this.elements[symbol][0];
      item.append(dot, symbol);
      return item;
    }));
    if (scroll) document.getElementById("structures-view").scrollIntoView({ block: "center" });
    this.draw();
  }

  draw() {
    const scene = this.scenes[this.number], canvas = this.canvas, ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!scene || !width) return;
    canvas.width = width * ratio; canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const [cx, sx, cy, sy] = [Math.cos(this.turned[0]), Math.sin(this.turned[0]), Math.cos(this.turned[1]), Math.sin(this.turned[1])];
    const turn = ([x, y, z]) => { // crystal z upright first, then about the axes of the screen
      const x1 = cy * x + sy * y, y1 = -sy * x + cy * y;
      return [x1, cx * y1 - sx * z, sx * y1 + cx * z];
    };
    const corners = [];
    for (const i of [0, 1]) for (const j of [0, 1]) for (const k of [0, 1])
      corners.push([0, 1, 2].map((d) => (i - 0.5) * scene.cell[0][d] + (j - 0.5) * scene.cell[1][d] + (k - 0.5) * scene.cell[2][d]));
    const reach = Math.max(...corners.map((p) => Math.hypot(...p))) + 1;
    const scale = this.zoom * Math.min(width, height) / (2 * reach);
    const at = (p) => [width / 2 + scale * p[0], height / 2 + scale * p[1]];
    const parts = scene.atoms.map(([symbol, ...p]) => ({ symbol, p: turn(p) }));
    for (const [i, j] of [[0, 1], [0, 2], [0, 4], [1, 3], [1, 5], [2, 3], [2, 6], [4, 5], [4, 6], [3, 7], [5, 7], [6, 7]]) {
      const a = turn(corners[i]), b = turn(corners[j]);
      for (let s = 0; s < 8; s++) { // in pieces, so that atoms hide the edges behind them
        const mix = (t) => a.map((v, d) => v + (b[d] - v) * t);
        parts.push({ from: mix(s / 8), to: mix((s + 1) / 8), p: mix((s + 0.5) / 8) });
      }
    }
    const depth = (part) => part.p[2] - (part.from ? 1 : 0); // edges pass behind the atoms they meet
    parts.sort((a, b) => depth(a) - depth(b));
    const edge = css("--muted");
    for (const part of parts) {
      if (part.from) {
        pen.strokeStyle = edge; pen.lineWidth = 1; pen.beginPath(); pen.moveTo(...at(part.from)); pen.lineTo(...at(part.to)); pen.stroke();
        continue;
      }
      const [x, y] = at(part.p), [colour, radius] = this.elements[part.symbol], r = scale * (0.25 + 0.42 * radius);
      pen.beginPath(); pen.arc(x, y, r, 0, 2 * Math.PI); pen.fillStyle = colour; pen.fill();
      const light = pen.createRadialGradient(x - r / 3, y - r / 3, r / 10, x, y, r);
      light.addColorStop(0, "rgba(255,255,255,.75)"); light.addColorStop(0.35, "rgba(255,255,255,.12)"); light.addColorStop(1, "rgba(0,0,0,.38)");
      pen.fillStyle = light; pen.fill();
    }
  }
}
