"use strict";
// Single showers as boxes in three dimensions, turned by mouse, finger or keys. No library, no
// network. A box is one voxel: two radii, two angles, two depths, or x, y and depth of a rectangular
// cell; colour is the log of its energy.
(() => {
  const view = document.getElementById("viewer");
  const data = JSON.parse(document.getElementById("viewer-data").textContent);
  const START = {yaw: 1.0, pitch: 0.35, zoom: 1};
  const WIDEST = 0.45;  // rad: wider sectors are drawn as several boxes
  const DECADES = 5;   // of the colour scale, below the brightest voxel
  const SHADES = 32, FACES = [1, 0.88, 0.78];
  const MAP = [[0, 0, 4], [40, 17, 90], [101, 26, 128], [159, 47, 127], [212, 72, 104],
    [245, 125, 92], [254, 187, 129], [252, 253, 191]];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const canvases = [...view.querySelectorAll("canvas")];
  const state = {...START, pair: 0, moving: false, slow: false, queued: false};
  let boxes = [[], []], colours = [], scale = [1, 10];

  // --- the detector, in units of its own largest radius -----------------------------------------
  const radial = r => data.core ? Math.asinh(r / data.core) : r;
  const end = edges => edges[edges.length - 1];
  const reach = l => l.x ? Math.max(-l.x[0], end(l.x), -l.y[0], end(l.y)) : radial(end(l.r));
  const outer = Math.max(...data.layers.map(reach));
  const z0 = Math.min(...data.layers.map(l => l.z[0]));
  const z1 = Math.max(...data.layers.map(l => l.z[1]));
  const trueShape = data.depths && !data.core ? (z1 - z0) / outer : 2.4;
  const half = Math.min(Math.max(trueShape, 1), 5) / 2;  // half the length along the beam
  const depth = z => half * (2 * (z - z0) / (z1 - z0) - 1);
  const starts = [0];
  const voxels = l => l.x ? (l.x.length - 1) * (l.y.length - 1) : l.n * (l.r.length - 1);
  for (const l of data.layers) starts.push(end(starts) + voxels(l));

  function layerOf(voxel) {
    let low = 0, high = data.layers.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= voxel) low = middle; else high = middle - 1;
    }
    return low;
  }

  function addBoxes(into, voxel, energy) {
    const at = layerOf(voxel), layer = data.layers[at], place = voxel - starts[at];
    if (layer.x) {
      const along = layer.y.length - 1, i = Math.floor(place / along), j = place % along;
      const x = [layer.x[i] / outer, layer.x[i + 1] / outer], y = [layer.y[j] / outer, layer.y[j + 1] / outer];
      const z = [depth(layer.z[0]), depth(layer.z[1])];
      into.push({x, y, z, energy, mid: [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2],
        far: 0, shade: 0});
      return;
    }
    const rings = layer.r.length - 1, ring = place % rings, sector = Math.floor(place / rings);
    const width = 2 * Math.PI / layer.n, pieces = Math.ceil(width / WIDEST);
    for (let k = 0; k < pieces; k++) {
      const a = -Math.PI + width * (sector + k / pieces), b = a + width / pieces, m = (a + b) / 2;
      const r = [radial(layer.r[ring]) / outer, radial(layer.r[ring + 1]) / outer];
      const z = [depth(layer.z[0]), depth(layer.z[1])], rm = (r[0] + r[1]) / 2;
      into.push({
        r, z, energy, c: [Math.cos(a), Math.cos(b)], s: [Math.sin(a), Math.sin(b)],
        out: [Math.cos(m), Math.sin(m)], mid: [rm * Math.cos(m), rm * Math.sin(m), (z[0] + z[1]) / 2],
        far: 0, shade: 0,
      });
    }
  }

  // --- colour ------------------------------------------------------------------------------------
  function mix(t) {  // dim is near the paper, bright is far from it, in either colour scheme
    const x = (dark.matches ? 0.22 + 0.78 * t : 0.93 - 0.8 * t) * (MAP.length - 1);
    const k = Math.min(Math.floor(x), MAP.length - 2), f = x - k;
    return MAP[k].map((v, i) => v + f * (MAP[k + 1][i] - v));
  }

  function setColours() {
    colours = FACES.map(light => Array.from({length: SHADES}, (_, n) => {
      const t = n / (SHADES - 1), [r, g, b] = mix(t).map(v => Math.round(v * light));
      return `rgba(${r},${g},${b},${(0.2 + 0.8 * t ** 1.5).toFixed(3)})`;
    }));
    const stops = Array.from({length: 12}, (_, n) => `rgb(${mix(n / 11).map(Math.round)})`);
    view.querySelector(".legend-bar").style.background = `linear-gradient(90deg,${stops})`;
  }

  const fraction = e => Math.min(Math.max(Math.log(e / scale[0]) / Math.log(scale[1] / scale[0]), 0), 1);

  function setLegend() {
    const ticks = view.querySelector(".legend-ticks");
    ticks.textContent = "";
    const steps = scale[1] / scale[0] < 150 ? [1, 2, 5] : [1];
    for (let p = Math.floor(Math.log10(scale[0])); 10 ** p <= scale[1]; p++) {
      for (const value of steps.map(step => Number(`${step}e${p}`))) {
        if (value < scale[0] || value > scale[1]) continue;
        const tick = document.createElement("span");
        tick.textContent = p < -3 || p > 4 ? value.toExponential() : String(value);
        tick.style.left = `${100 * fraction(value)}%`;
        ticks.append(tick);
      }
    }
  }

  // --- one frame -----------------------------------------------------------------------------------
  function frame(canvas, list) {
    const pixels = window.devicePixelRatio || 1;
    const wide = Math.round(canvas.clientWidth * pixels), high = Math.round(canvas.clientHeight * pixels);
    if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, wide, high);
    const [sy, cy, sp, cp] = [Math.sin(state.yaw), Math.cos(state.yaw), Math.sin(state.pitch), Math.cos(state.pitch)];
    const size = state.zoom * 0.46 * Math.min(wide / Math.max(half + 0.45, 1.1), high / 1.25);
    const X = (x, y, z) => wide / 2 + size * (x * cy + z * sy);
    const Y = (x, y, z) => high / 2 - size * (y * cp - (z * cy - x * sy) * sp);
    const eye = [-sy * cp, sp, cy * cp];  // where the viewer is
    outline(pen, X, Y, pixels);
    const drawn = state.moving && state.slow ? list.slice(0, 700) : list.slice();
    for (const b of drawn) b.far = b.mid[0] * eye[0] + b.mid[1] * eye[1] + b.mid[2] * eye[2];
    drawn.sort((a, b) => a.far - b.far);
    const cap = eye[2] > 0 ? 1 : 0;
    const quad = (colour, ...corners) => {
      pen.fillStyle = colour;
      pen.beginPath();
      for (const [x, y, z] of corners) pen.lineTo(X(x, y, z), Y(x, y, z));
      pen.fill();
    };
    for (const b of drawn) {
      const at = b.x ? (i, j, k) => [b.x[i], b.y[j], b.z[k]]
        : (i, j, k) => [b.r[i] * b.c[j], b.r[i] * b.s[j], b.z[k]];
      const out = b.out || [1, 0];
      const rim = out[0] * eye[0] + out[1] * eye[1] > 0 ? 1 : 0;
      const side = out[0] * eye[1] - out[1] * eye[0] > 0 ? 1 : 0;
      quad(colours[1][b.shade], at(rim, 0, 0), at(rim, 1, 0), at(rim, 1, 1), at(rim, 0, 1));
      quad(colours[2][b.shade], at(0, side, 0), at(1, side, 0), at(1, side, 1), at(0, side, 1));
      quad(colours[0][b.shade], at(0, 0, cap), at(1, 0, cap), at(1, 1, cap), at(0, 1, cap));
    }
  }

  function outline(pen, X, Y, pixels) {
    const style = getComputedStyle(view);
    pen.strokeStyle = style.getPropertyValue("--wire") || "#999";
    pen.fillStyle = style.getPropertyValue("--muted") || "#666";
    pen.lineWidth = pixels;
    const few = data.layers.length <= 8;
    const rings = few ? data.layers.map(l => [depth((l.z[0] + l.z[1]) / 2), reach(l) / outer])
      : [[-half, 1], [half, 1]];
    for (const [z, r] of rings) {
      pen.beginPath();
      if (data.layers[0].x) {
        for (const [x, y] of [[-r, -r], [r, -r], [r, r], [-r, r], [-r, -r]]) pen.lineTo(X(x, y, z), Y(x, y, z));
      } else for (let k = 0; k <= 48; k++) {
        const x = r * Math.cos(k * Math.PI / 24), y = r * Math.sin(k * Math.PI / 24);
        pen.lineTo(X(x, y, z), Y(x, y, z));
      }
      pen.stroke();
    }
    pen.beginPath();  // the particle comes along the axis
    pen.moveTo(X(0, 0, -half - 0.5), Y(0, 0, -half - 0.5));
    pen.lineTo(X(0, 0, half), Y(0, 0, half));
    pen.stroke();
    const tip = [X(0, 0, -half - 0.08), Y(0, 0, -half - 0.08)], tail = [X(0, 0, -half - 0.5), Y(0, 0, -half - 0.5)];
    const angle = Math.atan2(tip[1] - tail[1], tip[0] - tail[0]);
    pen.beginPath();
    for (const turn of [0, 2.7, -2.7]) {
      pen.lineTo(tip[0] + 7 * pixels * Math.cos(angle + turn), tip[1] + 7 * pixels * Math.sin(angle + turn));
    }
    pen.fill();
    pen.font = `${11 * pixels}px system-ui, sans-serif`;
    pen.fillText("beam", tail[0] - 12 * pixels, tail[1] + 16 * pixels);
  }

  function draw() {
    state.queued = false;
    const begun = performance.now();
    canvases.forEach((canvas, n) => frame(canvas, boxes[n]));
    if (state.moving) state.slow = state.slow || performance.now() - begun > 45;
  }

  function later() {
    if (!state.queued) { state.queued = true; requestAnimationFrame(draw); }
  }

  // --- what a person does -------------------------------------------------------------------------
  function choose(number) {
    state.pair = number;
    const showers = data.pairs[number].showers;
    const top = Math.max(1e-9, ...showers.map(s => s.e[0] || 0));
    const least = Math.min(top / 10, ...showers.map(s => s.e[s.e.length - 1] || top));
    scale = [Math.max(least, top / 10 ** DECADES), top];
    boxes = showers.map(s => {
      const list = [];
      s.i.forEach((voxel, n) => addBoxes(list, voxel, s.e[n]));
      for (const b of list) b.shade = Math.round(fraction(b.energy) * (SHADES - 1));
      return list;
    });
    showers.forEach((s, n) => {
      const pane = canvases[n].parentElement;
      pane.querySelector("h4").textContent = s.name;
      pane.querySelector("p").textContent = s.note;
      canvases[n].setAttribute("aria-label", `${s.name}, three-dimensional view: ${s.note}. Arrow keys turn it.`);
    });
    setLegend();
    later();
  }

  function turn(yaw, pitch) {
    state.yaw += yaw;
    state.pitch = Math.min(Math.max(state.pitch + pitch, -1.57), 1.57);
    later();
  }

  function zoom(factor) {
    state.zoom = Math.min(Math.max(state.zoom * factor, 0.5), 6);
    later();
  }

  function act(what) {
    const step = 0.15;
    const known = {
      ArrowLeft: () => turn(-step, 0), ArrowRight: () => turn(step, 0),
      ArrowUp: () => turn(0, -step), ArrowDown: () => turn(0, step),
      "+": () => zoom(1.2), "=": () => zoom(1.2), "-": () => zoom(1 / 1.2),
      Home: () => { Object.assign(state, START); later(); },
    };
    if (!known[what]) return false;
    known[what]();
    return true;
  }

  let held = null;
  for (const canvas of canvases) {
    canvas.addEventListener("pointerdown", e => {
      if (e.button === 0) { held = [e.clientX, e.clientY]; state.moving = true; }
    });
    canvas.addEventListener("keydown", e => {
      if (!e.ctrlKey && !e.metaKey && !e.altKey && act(e.key)) e.preventDefault();
    });
  }
  addEventListener("pointermove", e => {
    if (!held) return;
    turn((e.clientX - held[0]) * 0.01, (e.clientY - held[1]) * 0.01);
    held = [e.clientX, e.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) {
    addEventListener(end, () => { if (held) { held = null; state.moving = false; later(); } });
  }
  view.querySelectorAll("button").forEach(b => b.addEventListener("click", () => act(b.value)));
  const list = view.querySelector("select");
  data.pairs.forEach((pair, n) => list.append(new Option(pair.label, String(n))));
  list.addEventListener("change", () => choose(Number(list.value)));
  dark.addEventListener("change", () => { setColours(); later(); });
  new ResizeObserver(later).observe(view);

  view.hidden = false;
  setColours();
  choose(0);
  draw();
})();
