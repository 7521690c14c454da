"use strict";
// Figures: plotly is unpacked when the first one comes into view, and takes its colours from the theme.
const nonce = document.currentScript.nonce; // the policy of the page lets no other script run
const app = { table: null, viewer: null };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const PAPER = 620; // width of a figure on paper, in pixels: A4 between its margins holds it

let plotly = null;
function loadPlotly() {
  plotly ??= unpacked("packed-plotly").then((code) => {
    const script = document.createElement("script");
    script.nonce = nonce;
    script.textContent = code;
    document.head.append(script);
    return window.Plotly;
  });
  return plotly;
}

function themed(spec) {
  const colours = Array.from({ length: 8 }, (_, i) => css(`--c${i}`));
  const scale = css("--scale").split(",").map((c, i, all) => [i / (all.length - 1), c.trim()]);
  const narrow = window.innerWidth < 520;
  let next = 0;
  const data = spec.data.map((trace) => {
    const copy = { ...trace };
    if (trace.type === "heatmap") {
      copy.colorscale = scale;
      // cells without a number have pale annotations; plotly 7 would write their text as well
      copy.text = trace.text?.map((row, i) => row.map((text, j) => (trace.z[i][j] === null ? "" : text)));
      copy.colorbar = { ...trace.colorbar, outlinewidth: 0, thickness: narrow ? 6 : 10, tickfont: { size: 10 } };
      if (narrow && trace.texttemplate) { // the periodic table: its symbols need the room
        copy.textfont = { size: 8 };
        copy.showscale = false;
      }
    } else if (trace.type === "sunburst") {
      copy.marker = { line: { color: css("--card"), width: 1 } };
    } else if (trace.line?.color === "muted") {
      copy.line = { ...trace.line, color: css("--muted") };
    } else {
      const colour = colours[next++ % colours.length];
      if (trace.mode === "lines") copy.line = { ...trace.line, color: colour };
      else copy.marker = { ...trace.marker, color: colour };
      if (trace.fill) copy.fillcolor = colour + "26";
    }
    return copy;
  });
  const font = { family: "system-ui, sans-serif", size: 12, color: css("--muted") };
  const ax = (a) => ({ gridcolor: css("--grid"), zerolinecolor: css("--grid"), linecolor: css("--line"), automargin: true,
    ...a, ...(a?.title ? { title: { standoff: 8, ...a.title } } : {}) });
  const layout = {
    font, colorway: colours, sunburstcolorway: colours, extendsunburstcolors: true,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 50, r: 12, t: 10, b: 44 },
    hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { ...font, color: css("--text") } },
    modebar: { bgcolor: css("--card") + "cc", color: css("--muted"), activecolor: css("--accent") },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, dragmode: narrow ? false : "zoom",
    ...spec.layout, xaxis: ax(spec.layout.xaxis), yaxis: ax(spec.layout.yaxis),
  };
  layout.shapes = (spec.layout.shapes ?? []).map((s) => ({ ...s, line: { ...s.line, color: css("--muted") } }));
  layout.annotations = (spec.layout.annotations ?? []).map((a) => ({ ...a, font: { size: narrow && !a.yref ? 8 : 11, color: css("--muted") } }));
  if (spec.data[0]?.type === "heatmap" && layout.xaxis.visible === false && narrow) layout.margin = { l: 0, r: 0, t: 0, b: 0 };
  return [data, layout];
}

const drawn = new Map();
async function draw(spec) {
  const element = document.getElementById(`plot-${spec.key}`);
  const Plotly = await loadPlotly();
  const [data, layout] = themed(spec);
  // nothing leaves the page, and where nothing hovers the buttons would lie on the figure for ever
  const buttons = window.matchMedia("(hover: hover)").matches ? "hover" : false;
  await Plotly.react(element, data, layout, { responsive: true, displaylogo: false, displayModeBar: buttons,
    showSendToCloud: false, plotlyServerURL: "",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"], toImageButtonOptions: { format: "svg", filename: spec.key } });
  drawn.set(spec.key, spec);
  element.dataset.drawn = "true";
}

// One at a time, those nearest to what the reader sees first, with a pause for scrolling and clicks in between.
const pending = new Set();
let busy = false;
async function later(spec) {
  pending.add(spec);
  if (busy) return;
  busy = true;
  while (pending.size) {
    await new Promise((done) => setTimeout(done, 0));
    const away = (one) => {
      const box = document.getElementById(`plot-${one.key}`).getBoundingClientRect();
      return Math.abs(box.top + box.height / 2 - window.innerHeight / 2);
    };
    const next = [...pending].reduce((a, b) => (away(b) < away(a) ? b : a));
    pending.delete(next);
    await draw(next).catch((error) => console.error(error));
  }
  busy = false;
}

function watchFigures(specs) {
  const waiting = new Map(specs.map((spec) => [`plot-${spec.key}`, spec]));
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      observer.unobserve(entry.target);
      later(waiting.get(entry.target.id));
    }
  }, { rootMargin: "300px" });
  for (const id of waiting.keys()) observer.observe(document.getElementById(id));
  // the rest when the reader does nothing, so that all are there when the page is printed
  const idle = window.requestIdleCallback ?? ((call) => setTimeout(call, 2000));
  idle(() => { for (const spec of specs) if (!drawn.has(spec.key)) later(spec); });
}

// Paper has another width, and what is folded cannot be opened on it.
let folded = [];
function sizeFigures(width) {
  for (const key of drawn.keys()) {
    const element = document.getElementById(`plot-${key}`);
    window.Plotly.relayout(element, width ? { width, height: 300 } : { width: undefined, height: undefined, autosize: true });
  }
}
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const each of folded) each.open = true;
  sizeFigures(PAPER);
});
window.addEventListener("afterprint", () => {
  for (const each of folded) each.open = false;
  sizeFigures(null);
});

function redrawFigures() { for (const spec of drawn.values()) later(spec); }
