// Viewer of triangle meshes: every .surface box gets a canvas, drawn by the processor with a depth buffer. Neither WebGL
// nor a library is needed. Drag or arrow keys: rotate; + and -, or Ctrl and the wheel: zoom; double click or 0: as at first.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const INK = "#1f2933", SOFT = "#5c6773", LINE = "#c4cbd2", BAR = 84;  // colours; width of the colour scale, pixel

  function decode(data) {  // positions about the middle of their box, normals and colours of the vertices
    const steps = new Uint16Array(bytes(data.vertices).buffer), count = steps.length / 3;
    const packed = bytes(data.faces).buffer, faces = count > 65535 ? new Uint32Array(packed) : new Uint16Array(packed);
    const colour = bytes(data.colours), half = data.high.map((high, axis) => (high - data.low[axis]) / 2);
    const at = new Float32Array(3 * count), normal = new Float32Array(3 * count);
    for (let i = 0; i < at.length; i++) at[i] = half[i % 3] * (steps[i] / 32767.5 - 1);
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const u = [0, 1, 2].map((k) => at[b + k] - at[a + k]), v = [0, 1, 2].map((k) => at[c + k] - at[a + k]);
      const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) normal[corner + k] += n[k];
    }
    for (let i = 0; i < normal.length; i += 3) {
      const length = Math.hypot(normal[i], normal[i + 1], normal[i + 2]) || 1;
      for (let k = 0; k < 3; k++) normal[i + k] /= length;
    }
    return {at, normal, faces, colour, half, scale: bytes(data.scale), reach: Math.hypot(...half) || 1};
  }

  // Rows of a rotation: screen right, screen up, towards the eye, each along x, y, z of the mesh.
  const turn = (view, about, up) => {
    const [ca, sa, cu, su] = [Math.cos(about), Math.sin(about), Math.cos(up), Math.sin(up)];
    const by = [[ca, 0, sa], [su * sa, cu, -su * ca], [-cu * sa, su, cu * ca]];
    return by.map((row) => [0, 1, 2].map((k) => row[0] * view[0][k] + row[1] * view[1][k] + row[2] * view[2][k]));
  };
  const FIRST = turn([[1, 0, 0], [0, 1, 0], [0, 0, 1]], -0.6, 0.45);
  const along = (row, x, y, z) => row[0] * x + row[1] * y + row[2] * z;

  function fill(mesh, view, zoom, width, height, left) {  // image of the mesh, its background transparent
    const image = new ImageData(width, height), pixel = image.data, depth = new Float32Array(width * height).fill(-1e30);
    const {at, normal, faces, colour, scale} = mesh, count = at.length / 3;
    const x = new Float32Array(count), y = new Float32Array(count), z = new Float32Array(count), rgb = new Float32Array(at.length);
    for (let i = 0, j = 0; i < count; i++, j += 3) {
      x[i] = left + zoom * along(view[0], at[j], at[j + 1], at[j + 2]);
      y[i] = height / 2 - zoom * along(view[1], at[j], at[j + 1], at[j + 2]);
      z[i] = along(view[2], at[j], at[j + 1], at[j + 2]);
      const n = view.map((row) => along(row, normal[j], normal[j + 1], normal[j + 2]));
      const facing = n[2] < 0 ? -1 : 1;  // both sides are lit alike
      const light = 0.55 + 0.5 * Math.max(0, facing * (0.3 * n[0] + 0.4 * n[1] + 0.866 * n[2]));
      for (let k = 0; k < 3; k++) rgb[j + k] = light * scale[3 * colour[i] + k];
    }
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [faces[f], faces[f + 1], faces[f + 2]];
      const area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]);
      if (area === 0) continue;
      const right = Math.min(width - 1, Math.floor(Math.max(x[a], x[b], x[c]))), low = Math.min(height - 1, Math.floor(Math.max(y[a], y[b], y[c])));
      for (let row = Math.max(0, Math.ceil(Math.min(y[a], y[b], y[c]))); row <= low; row++) {
        for (let column = Math.max(0, Math.ceil(Math.min(x[a], x[b], x[c]))); column <= right; column++) {
          const p = ((x[b] - column) * (y[c] - row) - (x[c] - column) * (y[b] - row)) / area;
          const q = ((x[c] - column) * (y[a] - row) - (x[a] - column) * (y[c] - row)) / area, r = 1 - p - q;
          if (p < -1e-4 || q < -1e-4 || r < -1e-4) continue;
          const near = p * z[a] + q * z[b] + r * z[c], spot = row * width + column;
          if (near <= depth[spot]) continue;
          depth[spot] = near;
          for (let k = 0; k < 3; k++) pixel[4 * spot + k] = p * rgb[3 * a + k] + q * rgb[3 * b + k] + r * rgb[3 * c + k];
          pixel[4 * spot + 3] = 255;
        }
      }
    }
    return image;
  }

  function surround(pen, mesh, view, zoom, width, height, left) {  // edges of the box that no part of the mesh hides
    const corner = (i) => mesh.half.map((half, axis) => (i >> axis & 1 ? half : -half));
    const nearest = [0, 1, 2].reduce((sum, axis) => sum | (view[2][axis] > 0 ? 1 << axis : 0), 0);
    pen.strokeStyle = LINE;
    for (let i = 0; i < 8; i++) for (const axis of [0, 1, 2]) {
      const other = i | 1 << axis;
      if (i === other || i === nearest || other === nearest) continue;
      pen.beginPath();
      for (const end of [corner(i), corner(other)]) pen.lineTo(left + zoom * along(view[0], ...end), height / 2 - zoom * along(view[1], ...end));
      pen.stroke();
    }
  }

  function legend(pen, data, mesh, view, zoom, width, height) {  // axes, scale bar and colour scale
    pen.font = "13px system-ui, 'DejaVu Sans', sans-serif";
    pen.textBaseline = "middle";
    data.names.forEach((name, axis) => {
      const [dx, dy] = [26 * view[0][axis], -26 * view[1][axis]];
      pen.strokeStyle = pen.fillStyle = ["#b3261e", "#1b7f3b", "#0072b2"][axis];
      pen.beginPath(); pen.moveTo(38, height - 62); pen.lineTo(38 + dx, height - 62 + dy); pen.stroke();
      pen.textAlign = "center"; pen.fillText(name, 38 + 1.45 * dx, height - 62 + 1.45 * dy);
    });
    const most = 0.3 * (width - BAR) / zoom, power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((factor) => factor * power).find((each) => each <= most * 1.0001);
    pen.fillStyle = INK; pen.fillRect(12, height - 12, length * zoom, 3);
    pen.textAlign = "left"; pen.fillText(`${+length.toPrecision(3)} ${data.unit}`, 12, height - 22);
    const [top, tall, x] = [30, height - 60, width - BAR + 14], end = mesh.scale.length / 3;
    for (let i = 0; data.ticks.length && i < tall; i++) {
      const colour = 3 * Math.min(end - 1, Math.floor(end * (1 - (i + 0.5) / tall)));
      pen.fillStyle = `rgb(${mesh.scale.slice(colour, colour + 3)})`; pen.fillRect(x, top + i, 12, 1.5);
    }
    pen.fillStyle = SOFT;
    for (const [share, text] of data.ticks) pen.fillText(text, x + 17, top + tall * (1 - share));
    pen.textAlign = "right"; pen.fillStyle = INK; pen.fillText(data.label, width - 4, 12);
    pen.textAlign = "center"; if (!mesh.faces.length) pen.fillText("no surface at this level", (width - BAR) / 2, height / 2);
  }

  function start(box, number) {
    const data = JSON.parse(box.nextElementSibling.textContent), canvas = document.createElement("canvas"), layer = document.createElement("canvas");
    let mesh = null, view = FIRST, magnified = 1, waiting = false;
    box.append(canvas);
    const draw = () => {
      waiting = false;
      mesh ??= decode(data);
      const [width, height] = [box.clientWidth, box.clientHeight], fine = Math.min(2, window.devicePixelRatio || 1);
      if (!width) return;
      const zoom = magnified * 0.47 * Math.min(width - BAR, height) / mesh.reach, left = (width - BAR) / 2;
      [canvas.width, canvas.height] = [layer.width, layer.height] = [Math.round(width * fine), Math.round(height * fine)];
      layer.getContext("2d").putImageData(fill(mesh, view, zoom * fine, canvas.width, canvas.height, left * fine), 0, 0);
      const pen = canvas.getContext("2d");
      pen.scale(fine, fine); pen.lineWidth = 1.3;
      surround(pen, mesh, view, zoom, width, height, left);
      pen.drawImage(layer, 0, 0, width, height);
      legend(pen, data, mesh, view, zoom, width, height);
      box.dataset.triangles = mesh.faces.length / 3;
    };
    const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
    const scale = (factor) => { magnified = Math.min(8, Math.max(0.5, magnified * factor)); soon(); };
    canvas.tabIndex = 0;
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      view = turn(view, event.movementX / 120, event.movementY / 120); soon();
    });
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey) { event.preventDefault(); scale(Math.exp(-event.deltaY / 400)); }
    }, {passive: false});
    const reset = () => { view = FIRST; magnified = 1; soon(); };
    canvas.addEventListener("dblclick", reset);
    const keys = {
      ArrowLeft: () => turn(view, -0.1, 0), ArrowRight: () => turn(view, 0.1, 0), ArrowUp: () => turn(view, 0, -0.1), ArrowDown: () => turn(view, 0, 0.1),
    };
    canvas.addEventListener("keydown", (event) => {
      if (event.key in keys) { view = keys[event.key](); soon(); }
      else if (event.key === "+" || event.key === "-") scale(event.key === "+" ? 1.2 : 1 / 1.2);
      else if (event.key === "0") reset();
      else return;
      event.preventDefault();
    });
    new IntersectionObserver((seen) => { if (seen.at(-1).isIntersecting) soon(); }, {rootMargin: "300px"}).observe(box);
    new ResizeObserver(() => { if (mesh) soon(); }).observe(box);
    window.addEventListener("beforeprint", draw);
    if (number < 2) draw();  // the others when they come near
  }
  document.querySelectorAll(".surface").forEach(start);
})();
