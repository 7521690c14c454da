// The table of candidates: sorted, filtered and cut into pages; what it shows can be saved as CSV and CIF.
const PAGE = 25, BEST = 500;

function save(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function formulaNode(text) {
  const node = document.createDocumentFragment();
  for (const part of text.split(/(\d+)/)) {
    if (!part) continue;
    if (/^\d+$/.test(part)) {
      const sub = document.createElement("sub");
      sub.textContent = part;
      node.append(sub);
    } else node.append(part);
  }
  return node;
}

function symbolNode(text) { // P4_2/mnm has a subscript
  const node = document.createDocumentFragment();
  text.split(/_(\d)/).forEach((part, i) => {
    if (i % 2) {
      const sub = document.createElement("sub");
      sub.textContent = part;
      node.append(sub);
    } else node.append(part);
  });
  return node;
}

function doubtNode(why) { // the mark of a doubtful candidate, or nothing
  if (!why) return "";
  const mark = document.createElement("abbr");
  mark.textContent = "*";
  mark.title = `Doubtful: ${why}`;
  return mark;
}

function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\s]/.test(value) ? `'${value}` : value; // a spreadsheet would run it
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function firsts(values) { // whether each occurs for the first time
  const seen = new Set();
  return values.map((value) => seen.size < seen.add(value).size);
}

class Candidates {
  constructor(data) {
    this.columns = data.table.columns;
    this.n = data.table.n;
    this.cif = data.cif ?? {};
    this.atoms = data.atoms ?? {};
    this.hasFiles = Object.keys(this.cif).length > 0;
    this.by = Object.fromEntries(this.columns.map((c) => [c.key, c]));
    this.shownColumns = this.columns.filter((c) => c.shown);
    this.sort = { key: null, down: false };
    this.page = 0;
    this.root = document.getElementById("candidates-table");
    this.elements = this.by.formula.values.map((f) => new Set(f.match(/[A-Z][a-z]?/g) ?? []));
    this.search = this.by.formula.values.map((f, i) =>
      `${f} ${this.by.space_group.values[i]} ${this.by.space_group.symbols[i]}`.toLowerCase());
    this.controls();
    this.head();
    this.update();
  }

  controls() {
    const get = (id) => document.getElementById(id);
    this.input = { text: get("filter-text"), system: get("filter-system"), column: get("filter-column"), low: get("filter-low"),
      high: get("filter-high"), scope: get("filter-scope") };
    for (const system of [...new Set(this.by.system.values)].sort()) this.input.system.add(new Option(system, system));
    for (const c of this.shownColumns.filter((c) => c.kind === "number" || c.kind === "group"))
      this.input.column.add(new Option(c.unit ? `${c.label} (${c.unit})` : c.label, c.key));
    const all = this.n.toLocaleString("en");
    const energy = this.shownColumns.find((c) => c.kind === "number" && c.digits);
    if (energy) this.input.column.value = energy.key;
    if (this.n > BEST) this.input.scope.add(new Option("best of each formula", "formulas")); // many share the best one
    if (this.n > BEST) this.input.scope.add(new Option(`best ${BEST}`, "best"));
    this.input.scope.add(new Option(`all ${all}`, "all"));
    if (this.n <= BEST) this.input.scope.add(new Option("best of each formula", "formulas"));
    this.input.scope.add(new Option("best of each formula and group", "kinds"));
    const formulas = this.by.formula.values, groups = this.by.space_group.values;
    this.firsts = { formulas: firsts(formulas), kinds: firsts(formulas.map((f, i) => `${f} ${groups[i]}`)) };
    for (const input of Object.values(this.input)) input.addEventListener("input", () => { this.page = 0; this.update(); });
    get("filter-clear").addEventListener("click", () => {
      for (const [name, input] of Object.entries(this.input)) if (name !== "column" && name !== "scope") input.value = "";
      this.page = 0;
      this.update();
    });
    get("save-csv").addEventListener("click", () => save("candidates.csv", this.csv(), "text/csv"));
    const cif = get("save-cif");
    if (this.hasFiles) cif.addEventListener("click", () => save("candidates.cif", this.cifs(), "chemical/x-cif"));
    else cif.remove();
    get("page-back").addEventListener("click", () => this.turn(-1));
    get("page-next").addEventListener("click", () => this.turn(1));
  }

  turn(by) {
    this.page += by;
    this.fill();
  }

  head() {
    const row = this.root.tHead.insertRow();
    for (const column of this.shownColumns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (column.kind === "number") cell.className = "number";
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.key = column.key;
      button.title = `Sort by ${column.label}${column.method ? `: ${column.method}` : ""}`;
      for (const part of ["name", "unit", "method"]) {
        const text = part === "name" ? column.label : column[part].split(/[,;]/)[0]; // the rest stands in the title
        if (!text) continue;
        const span = document.createElement("span");
        span.className = part;
        span.textContent = text;
        button.append(span);
      }
      button.addEventListener("click", () => {
        const same = this.sort.key === column.key;
        this.sort = { key: column.key, down: same ? !this.sort.down : false };
        this.page = 0;
        this.update();
      });
      cell.append(button);
      row.append(cell);
      if (column.key === "formula" && this.hasFiles) {
        const files = document.createElement("th");
        files.scope = "col";
        files.textContent = "structure";
        row.append(files);
      }
    }
  }

  matches() {
    const words = this.input.text.value.split(/[\s,]+/).filter(Boolean);
    const system = this.input.system.value;
    const column = this.by[this.input.column.value];
    const low = this.input.low.value === "" ? -Infinity : Number(this.input.low.value);
    const high = this.input.high.value === "" ? Infinity : Number(this.input.high.value);
    const bounded = low > -Infinity || high < Infinity;
    const scope = this.input.scope.value === "best" ? Math.min(BEST, this.n) : this.n;
    const only = this.firsts[this.input.scope.value], rows = [];
    for (let i = 0; i < scope; i++) {
      if (only && !only[i]) continue;
      if (system && this.by.system.values[i] !== system) continue;
      if (bounded) {
        const value = column.values[i];
        if (value === null || value < low || value > high) continue;
      }
      if (words.every((word) => this.fits(word, i))) rows.push(i);
    }
    return rows;
  }

  // "Li" is an element, "-Li" its absence, and everything else part of a formula or space group
  fits(word, i) {
    if (/^-[A-Z][a-z]?$/.test(word)) return !this.elements[i].has(word.slice(1));
    if (/^[A-Z][a-z]?$/.test(word)) return this.elements[i].has(word);
    return this.search[i].includes(word.toLowerCase());
  }

  update() {
    this.rows = this.matches();
    if (this.sort.key) {
      const values = this.by[this.sort.key].values, sign = this.sort.down ? -1 : 1;
      this.rows.sort((i, j) => {
        const a = values[i], b = values[j];
        if (a === b) return i - j;
        if (a === null) return 1; // what is unknown comes last either way
        if (b === null) return -1;
        return (a < b ? -1 : 1) * sign;
      });
    }
    for (const button of this.root.tHead.querySelectorAll("button")) {
      const cell = button.parentElement;
      if (button.dataset.key === this.sort.key) cell.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.fill();
  }

  fill() {
    const start = this.page * PAGE, shown = this.rows.slice(start, start + PAGE);
    const body = document.createElement("tbody");
    for (const i of shown) {
      const row = body.insertRow();
      for (const column of this.shownColumns) {
        this.cell(row, column, i);
        if (column.key === "formula" && this.hasFiles) this.buttons(row, i);
      }
    }
    this.root.tBodies[0].replaceWith(body);
    const total = this.rows.length, end = Math.min(start + PAGE, total);
    const text = total ? `${(start + 1).toLocaleString("en")}–${end.toLocaleString("en")} of ${total.toLocaleString("en")}` : "no crystal fits";
    document.getElementById("page-range").textContent = text;
    document.getElementById("status").textContent = text;
    document.getElementById("page-back").disabled = this.page === 0;
    document.getElementById("page-next").disabled = end >= total;
  }

  cell(row, column, i) {
    const cell = row.insertCell(), value = column.values[i];
    cell.className = column.kind;
    if (column.kind === "formula") cell.append(formulaNode(value), doubtNode(this.by.flags?.values[i]));
    else if (column.kind === "group") cell.append(`${value} `, symbolNode(column.symbols[i]));
    else if (column.kind === "number") cell.textContent = value === null ? "–" : column.digits ? value.toFixed(column.digits).replace("-", "−") : value;
    else { cell.textContent = value; cell.title = value; }
  }

  buttons(row, i) {
    const cell = row.insertCell(), number = this.by.row.values[i], formula = this.by.formula.values[i];
    if (this.atoms[number]) this.mini(cell, "view", `View ${formula}`, () => app.viewer.show(number, true));
    if (this.cif[number]) this.mini(cell, "CIF", `Save ${formula} as CIF`, () =>
      save(`${number}_${formula}.cif`, this.cif[number], "chemical/x-cif"));
  }

  mini(cell, text, label, action) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "mini";
    button.textContent = text;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", action);
    cell.append(button);
  }

  csv() {
    const name = (c) => c.unit && !c.key.includes("[") ? `${c.key} [${c.unit}]` : c.key;
    const lines = [this.columns.map((c) => csvCell(name(c))).join(",")];
    for (const i of this.rows) lines.push(this.columns.map((c) => csvCell(c.values[i])).join(","));
    return lines.join("\n") + "\n";
  }

  // one file with a block a crystal, each under a name of its own
  cifs() {
    const blocks = [];
    for (const i of this.rows) {
      const number = this.by.row.values[i], text = this.cif[number];
      if (text) blocks.push(text.replace(/^data_\S*/m, `data_${number}_${this.by.formula.values[i]}`));
    }
    return blocks.join("\n");
  }
}
