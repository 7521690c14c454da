// A structure by 3Dmol.js: turned with the mouse, a finger or the arrow keys; a still picture where there is no WebGL.
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

let library = null;
function load3Dmol() {
  library ??= unpacked("packed-3dmol").then((code) => {
    const script = document.createElement("script");
    script.nonce = document.querySelector("script[nonce]")?.nonce ?? "";
    script.textContent = code;
    document.head.append(script);
    return window.$3Dmol;
  });
  return library;
}

let webgl = null;
function hasWebGL() { // asked once: browsers allow few contexts
  if (webgl === null) {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("webgl2") ?? canvas.getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    webgl = Boolean(context);
  }
  return webgl;
}

const CORNERS = [0, 1].flatMap((i) => [0, 1].flatMap((j) => [0, 1].map((k) => [i, j, k])));
const EDGES = [[0, 1], [0, 2], [0, 4], [1, 3], [1, 5], [2, 3], [2, 6], [3, 7], [4, 5], [4, 6], [5, 7], [6, 7]];
const xyz = ([x, y, z]) => ({ x, y, z });
const minus = (a, b) => a.map((x, i) => x - b[i]);
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function corners(cell) {
  return CORNERS.map((c) => [0, 1, 2].map((d) => c.reduce((sum, x, axis) => sum + (x - 0.5) * cell[axis][d], 0)));
}

class Viewer3D {
  constructor(place, elements, colours) {
    this.place = place;
    this.elements = elements;
    this.colours = colours; // returns the colours of the background and of the cell's edges
    this.shown = { bonds: true, polyhedra: true };
    place.addEventListener("keydown", (e) => {
      const turns = { ArrowLeft: [-8, "vy"], ArrowRight: [8, "vy"], ArrowUp: [-8, "vx"], ArrowDown: [8, "vx"] };
      const zooms = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 };
      if (!this.view || !(turns[e.key] || zooms[e.key])) return;
      if (turns[e.key]) this.view.rotate(...turns[e.key]);
      else this.view.zoom(zooms[e.key]);
      e.preventDefault();
    });
    for (const kind of ["wheel", "mousewheel", "DOMMouseScroll"]) // the wheel scrolls the page, with Ctrl it zooms
      place.addEventListener(kind, (e) => { if (!e.ctrlKey) e.stopImmediatePropagation(); }, { capture: true });
  }

  async show(scene) {
    this.scene = scene;
    await new Promise((ready) => setTimeout(ready)); // the rest of the page comes first
    if (scene !== this.scene) return undefined;
    if (!hasWebGL()) return this.still();
    try {
      const $3Dmol = await load3Dmol();
      this.view ??= $3Dmol.createViewer(this.place, { disableFog: true, antialias: true, orthographic: true });
      if (!this.view) return this.still();
    } catch (error) {
      console.info(error);
      return this.still();
    }
    if (scene !== this.scene) return undefined; // another was chosen meanwhile
    this.draw();
    this.orient();
    this.place.dataset.drawn = "webgl";
    return undefined;
  }

  orient() { // c upwards, a towards the reader and a little to the left
    this.view.setView([0, 0, 0, 0, -0.3308, -0.5192, -0.6646, 0.4234]);
    this.view.zoomTo();
    this.view.zoom(0.85);
  }

  draw() {
    const { view, scene, elements } = this;
    if (!view || !scene) return;
    view.removeAllModels();
    view.removeAllShapes();
    view.removeAllLabels();
    const drawn = scene.atoms.slice(0, this.shown.polyhedra ? undefined : scene.inside);
    const atoms = drawn.map(([elem, x, y, z]) => ({ elem, x, y, z, bonds: [], bondOrder: [] }));
    if (this.shown.bonds) for (const [i, j] of scene.bonds) {
      if (i >= atoms.length || j >= atoms.length) continue;
      atoms[i].bonds.push(j); atoms[i].bondOrder.push(1);
      atoms[j].bonds.push(i); atoms[j].bondOrder.push(1);
    }
    const model = view.addModel();
    model.addAtoms(atoms);
    for (const [elem, [color, radius]] of Object.entries(elements))
      model.setStyle({ elem }, { sphere: { radius: 0.16 + 0.26 * radius, color }, stick: { radius: 0.09, color } });
    if (this.shown.polyhedra) for (const [middle, faces] of scene.polyhedra) this.polyhedron(scene, middle, faces);
    const [background, color] = this.colours();
    if (background !== this.background) view.setBackgroundColor(background); // each of these calls renders
    this.background = background;
    const points = corners(scene.cell);
    for (const [i, j] of EDGES) view.addCylinder({ start: xyz(points[i]), end: xyz(points[j]), radius: 0.03, color, fromCap: 1, toCap: 1 });
    for (const [name, at] of [["a", 4], ["b", 2], ["c", 1]]) {
      const along = minus(points[at], points[0]), length = Math.hypot(...along);
      const beyond = points[0].map((x, d) => x + (1 + 1.2 / length) * along[d]);
      view.addLabel(name, { position: xyz(beyond), showBackground: false, fontColor: color, fontSize: 18, alignment: "center", inFront: true });
    }
    view.render();
  }

  polyhedron(scene, middle, faces) {
    const at = (i) => scene.atoms[i].slice(1), centre = at(middle);
    const vertexArr = [], normalArr = [], faceArr = [];
    for (const face of faces) {
      let [p, q, r] = face.map(at);
      let normal = cross(minus(q, p), minus(r, p));
      if (dot(normal, minus(p, centre)) < 0) { [q, r] = [r, q]; normal = normal.map((x) => -x); }
      const length = Math.hypot(...normal) || 1, first = vertexArr.length;
      vertexArr.push(xyz(p), xyz(q), xyz(r));
      for (let k = 0; k < 3; k++) normalArr.push(xyz(normal.map((x) => x / length)));
      faceArr.push(first, first + 1, first + 2);
    }
    this.view.addCustom({ vertexArr, normalArr, faceArr, color: this.elements[scene.atoms[middle][0]][0], opacity: 0.6 });
  }

  still() { // spheres, the farthest first
    const canvas = document.createElement("canvas"), ratio = window.devicePixelRatio || 1;
    const width = this.place.clientWidth, height = this.place.clientHeight;
    canvas.width = width * ratio; canvas.height = height * ratio;
    canvas.style.cssText = "width:100%;height:100%";
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const [ca, sa, cb, sb] = [Math.cos(0.5), Math.sin(0.5), Math.cos(0.25), Math.sin(0.25)];
    const turn = ([x, y, z]) => {
      const right = ca * y - sa * x, depth = ca * x + sa * y;
      return [right, cb * z - sb * depth, sb * z + cb * depth];
    };
    const points = corners(this.scene.cell), reach = Math.max(...points.map((p) => Math.hypot(...p))) + 1;
    const scale = Math.min(width, height) / (2 * reach), at = ([x, y]) => [width / 2 + scale * x, height / 2 - scale * y];
    const parts = this.scene.atoms.slice(0, this.scene.inside).map(([symbol, ...p]) => ({ symbol, p: turn(p) }));
    pen.strokeStyle = this.colours()[1];
    for (const [i, j] of EDGES) { pen.beginPath(); pen.moveTo(...at(turn(points[i]))); pen.lineTo(...at(turn(points[j]))); pen.stroke(); }
    for (const { symbol, p } of parts.sort((a, b) => a.p[2] - b.p[2])) {
      const [colour, radius] = this.elements[symbol];
      pen.beginPath(); pen.arc(...at(p), scale * (0.2 + 0.35 * radius), 0, 2 * Math.PI);
      pen.fillStyle = colour; pen.fill(); pen.stroke();
    }
    const note = document.createElement("p");
    note.className = "still";
    note.textContent = "A still picture: this browser has no WebGL.";
    this.place.replaceChildren(canvas, note);
    this.place.dataset.drawn = "still";
  }
}

function legendOf(scene, elements) {
  return [...new Set(scene.atoms.map((a) => a[0]))].map((symbol) => {
    const item = document.createElement("span"), dot = document.createElement("i");
    dot.style.background = elements[symbol][0];
    item.append(dot, symbol);
    return item;
  });
}
