// Tables of frames: decoded when they are opened, sorted by a click on a head, filtered by a group and by conditions.
for (const box of document.querySelectorAll("details.frames")) {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const start = () => {
    const table = JSON.parse(box.querySelector("script").textContent);
    const columns = table.columns.map((column) => {
      const raw = bytes(column.data).buffer;
      const stored = column.bytes === 1 ? new Uint8Array(raw) : column.bytes === 2 ? new Uint16Array(raw) : new Uint32Array(raw);
      const missing = 2 ** (8 * column.bytes) - 1, scale = 10 ** column.digits;
      const value = (row) => stored[row] === missing ? NaN : (column.low + stored[row]) / scale;
      const show = (row) => {
        const number = value(row);
        if (Number.isNaN(number)) return "–";
        return column.words ? column.words[number] : column.name === "frame" ? String(number)
          : number.toLocaleString("en", {minimumFractionDigits: column.digits, maximumFractionDigits: column.digits});
      };
      return {...column, value, show};
    });
    const groups = table.groups.map((group) => ({...group, bits: bytes(group.bits)}));
    const head = box.querySelector("thead tr"), body = box.querySelector("tbody");
    const choice = box.querySelector("select"), where = box.querySelector("input"), count = box.querySelector("output");
    const more = box.querySelector("button.more");
    let sorted = 0, falling = false, rows = [], shown = 0;

    const compare = {"<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
      "=": (a, b) => a === b, "!=": (a, b) => a !== b};
    const condition = (text) => {
      const found = /^\s*(.+?)\s*(<=|>=|!=|<|>|=)\s*(.+?)\s*$/.exec(text);
      const column = found && columns.find((each) => each.name === found[1]);
      if (!column) throw text;
      const wanted = column.words ? column.words.indexOf(found[3]) : Number(found[3]);
      if (Number.isNaN(wanted)) throw text;
      return (row) => compare[found[2]](column.value(row), wanted);
    };
    const draw = () => {
      const last = Math.min(rows.length, shown + 200), lines = document.createDocumentFragment();
      for (; shown < last; shown++) {
        const line = document.createElement("tr");
        for (const column of columns) line.insertCell().textContent = column.show(rows[shown]);
        lines.append(line);
      }
      body.append(lines);
      more.hidden = shown === rows.length;
      count.textContent = `${rows.length.toLocaleString("en")} frames` + (more.hidden ? "" : `, the first ${shown.toLocaleString("en")} shown`);
    };
    const update = () => {
      const group = groups[choice.selectedIndex - 1], tests = [];
      try {
        for (const text of where.value.split(",")) if (text.trim()) tests.push(condition(text));
      } catch (text) {
        count.textContent = `“${String(text).trim()}” is no condition: write a column, one of < > <= >= = != and a value`;
        return;
      }
      rows = [];
      for (let row = 0; row < table.rows; row++) {
        if (group && !(group.bits[row >> 3] >> (row & 7) & 1)) continue;
        if (tests.every((test) => test(row))) rows.push(row);
      }
      const by = columns[sorted].value, sign = falling ? -1 : 1;
      rows.sort((a, b) => {
        const x = by(a), y = by(b);
        return Number.isNaN(x) - Number.isNaN(y) || sign * (x - y) || a - b;  // missing values last
      });
      body.replaceChildren();
      shown = 0;
      draw();
    };
    columns.forEach((column, index) => {
      const cell = document.createElement("th"), button = document.createElement("button");
      cell.scope = "col";
      cell.title = column.meaning;
      button.type = "button";
      button.textContent = column.name.replaceAll("_", " ");
      button.addEventListener("click", () => {
        falling = sorted === index ? !falling : !column.words && index > 0;
        sorted = index;
        head.querySelectorAll("th").forEach((each) => each.removeAttribute("aria-sort"));
        cell.setAttribute("aria-sort", falling ? "descending" : "ascending");
        update();
      });
      cell.append(button);
      head.append(cell);
    });
    for (const group of groups) choice.add(new Option(`${group.name} (${group.count.toLocaleString("en")})`));
    choice.addEventListener("change", update);
    where.addEventListener("change", update);
    more.addEventListener("click", draw);
    update();
  };
  box.addEventListener("toggle", start, {once: true});
}
