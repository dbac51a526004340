'use strict';
/* Points in the plane on a canvas: several arrangements, several colourings, a thumbnail on hover, arrow keys. */
class Scatter {
  constructor(place, d) {
    const T = Tacit;
    Object.assign(this, {d, view: 0, tint: 0, only: null, at: -1, pictures: false, n: d.views[0].x.length});
    const controls = T.make('div', {class: 'controls'});
    if (d.views.length > 1) controls.append(T.choice('Map', d.views.map(v => v.name), 0, i => { this.view = i; this.pick(-1); this.draw(); this.say(); }));
    if (d.tints.length > 1) controls.append(T.choice('Colour', d.tints.map(t => t.name), 0, i => { this.tint = i; this.only = null; this.key(); this.draw(); }));
    if (d.sprites) {
      const b = T.make('button', {type: 'button', 'aria-pressed': 'false'}, 'Show pictures');
      b.addEventListener('click', () => { this.pictures = !this.pictures; b.setAttribute('aria-pressed', String(this.pictures)); this.draw(); });
      controls.append(b);
      this.sheet = new Image();
      this.sheet.onload = () => { if (this.pictures || this.at >= 0) { this.draw(); this.tell(); } T.root.dataset.sheets = String(Number(T.root.dataset.sheets || 0) + 1); };
      this.sheet.src = d.sprites.src;
    }
    this.canvas = T.make('canvas', {tabindex: '0', role: 'img', 'aria-label': d.label});
    this.plot = T.make('div', {class: 'plot'}, this.canvas);
    this.tip = T.make('div', {class: 'tip', hidden: ''});
    this.live = T.make('div', {class: 'hide', 'aria-live': 'polite'});
    this.legend = T.make('div', {class: 'key'});
    this.note = T.make('p', {class: 'hint'});
    this.plot.append(this.tip);
    place.append(controls, this.plot, this.live, this.legend, this.note);
    this.events();
    this.key();
    this.say();
    this.resize();
    new ResizeObserver(() => this.resize()).observe(this.plot);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  events() {
    const c = this.canvas, hit = e => { const r = c.getBoundingClientRect(); return this.nearest(e.clientX - r.left, e.clientY - r.top, 24); };
    c.addEventListener('pointermove', e => this.pick(hit(e)));
    c.addEventListener('pointerdown', e => this.pick(hit(e)));
    c.addEventListener('pointerleave', e => { if (e.pointerType === 'mouse') this.pick(-1); });
    c.addEventListener('blur', () => this.pick(-1));
    c.addEventListener('keydown', e => {
      const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];
      if (e.key === 'Escape') this.pick(-1);
      if (!way) return;
      e.preventDefault();
      this.pick(this.at < 0 ? this.nearest(this.w / 2, this.h / 2, 1e9) : this.towards(way));
    });
  }

  say() { this.note.textContent = this.d.views[this.view].note + '. Hover, touch or use the arrow keys to read a point.'; }

  key() {
    const T = Tacit, t = this.d.tints[this.tint];
    this.legend.replaceChildren();
    if (t.kind === 'number') {
      const bar = T.make('span', {class: 'ramp'});
      bar.style.background = `linear-gradient(90deg, ${[0, .25, .5, .75, 1].map(T.heat).join(',')})`;
      this.legend.append(T.make('span', {class: 'hint'}, `${t.name}${t.unit ? ` (${t.unit})` : ''}: ${T.number(t.low)}`, bar, T.number(t.high)));
      return;
    }
    t.names.forEach((name, k) => {
      if (!t.values.includes(k)) return;
      const b = T.make('button', {type: 'button', 'aria-pressed': 'false', title: `Show ${name} alone`}, T.marker(t.marks[k]), name);
      b.addEventListener('click', () => {
        this.only = this.only === k ? null : k;
        this.legend.querySelectorAll('button').forEach(o => o.setAttribute('aria-pressed', String(o === b && this.only !== null)));
        this.draw();
      });
      this.legend.append(b);
    });
    if (t.values.includes(-1)) this.legend.append(T.make('span', {class: 'hint'}, 'grey: not known'));
  }

  resize() {
    const w = this.plot.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!w || (w === this.w && ratio === this.ratio)) return;
    Object.assign(this, {w, ratio, h: Math.round(Math.min(w * .72, 620))});
    this.canvas.style.height = `${this.h}px`;
    this.canvas.width = Math.round(w * ratio);
    this.canvas.height = Math.round(this.h * ratio);
    this.draw();
  }

  /* Where each point is, in pixels. */
  layout() {
    const v = this.d.views[this.view], left = v.axes ? 52 : 16, bottom = v.axes ? 40 : 16, top = 16, right = 16;
    const spanX = v.high[0] - v.low[0] || 1, spanY = v.high[1] - v.low[1] || 1;
    let sx = (this.w - left - right) / spanX, sy = (this.h - top - bottom) / spanY;
    if (v.equal) sx = sy = Math.min(sx, sy);
    const dx = left + (this.w - left - right - sx * spanX) / 2, dy = top + (this.h - top - bottom - sy * spanY) / 2;
    this.toX = u => dx + (u - v.low[0]) * sx;
    this.toY = u => dy + (v.high[1] - u) * sy;
    this.px = v.x.map(q => this.toX(v.low[0] + q / 9999 * spanX));
    this.py = v.y.map(q => this.toY(v.low[1] + q / 9999 * spanY));
    this.box = {left, bottom, top, right};
  }

  shown(i) { return this.only === null || this.d.tints[this.tint].values[i] === this.only; }

  draw() {
    const T = Tacit, g = this.canvas.getContext('2d'), t = this.d.tints[this.tint];
    this.layout();
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    g.clearRect(0, 0, this.w, this.h);
    if (this.d.views[this.view].axes) this.axes(g);
    const r = Math.max(1.6, Math.min(3.4, 90 / Math.sqrt(this.n)));
    for (const front of [false, true]) {
      for (let i = 0; i < this.n; i++) {
        if (this.shown(i) !== front) continue;
        g.globalAlpha = front ? .8 : .09;
        const k = t.kind === 'number' ? 0 : t.values[i] < 0 ? -1 : t.marks[t.values[i]];
        g.fillStyle = t.kind === 'number' ? T.heat((t.values[i] - t.low) / (t.high - t.low || 1)) : T.colour(k);
        this.mark(g, this.px[i], this.py[i], r, T.shape(k));
      }
    }
    g.globalAlpha = 1;
    if (this.pictures) this.thumbnails(g);
    if (t.kind === 'group' && t.tags && !this.pictures) this.tags(g, t);
    if (this.at >= 0) {
      g.lineWidth = 2; g.strokeStyle = T.css('--ink');
      g.beginPath(); g.arc(this.px[this.at], this.py[this.at], r + 4, 0, 7); g.stroke();
    }
  }

  mark(g, x, y, r, shape) {
    g.beginPath();
    if (shape === 0) g.arc(x, y, r, 0, 7);
    else if (shape === 1) g.rect(x - r, y - r, 2 * r, 2 * r);
    else if (shape === 2) { g.moveTo(x, y - 1.3 * r); g.lineTo(x + 1.2 * r, y + r); g.lineTo(x - 1.2 * r, y + r); }
    else { g.moveTo(x, y - 1.4 * r); g.lineTo(x + 1.4 * r, y); g.lineTo(x, y + 1.4 * r); g.lineTo(x - 1.4 * r, y); }
    g.fill();
  }

  axes(g) {
    const T = Tacit, v = this.d.views[this.view], b = this.box;
    g.font = '12px system-ui, sans-serif'; g.strokeStyle = T.css('--grid'); g.fillStyle = T.css('--soft'); g.lineWidth = 1;
    const line = (x1, y1, x2, y2) => { g.beginPath(); g.moveTo(x1, y1); g.lineTo(x2, y2); g.stroke(); };
    g.textAlign = 'center';
    for (const u of T.ticks(v.low[0], v.high[0], this.w > 500 ? 8 : 4)) {
      line(this.toX(u), b.top, this.toX(u), this.h - b.bottom); g.fillText(T.number(u), this.toX(u), this.h - b.bottom + 15);
    }
    g.fillText(v.axes[0], this.w / 2, this.h - 7);
    g.textAlign = 'right';
    for (const u of T.ticks(v.low[1], v.high[1], 6)) { line(b.left, this.toY(u), this.w - b.right, this.toY(u)); g.fillText(T.number(u), b.left - 5, this.toY(u) + 4); }
    g.save(); g.translate(13, this.h / 2); g.rotate(-Math.PI / 2); g.textAlign = 'center'; g.fillText(v.axes[1], 0, 0); g.restore();
  }

  /* The name of each group at the median of its points. */
  tags(g, t) {
    const middle = a => a.sort((p, q) => p - q)[Math.floor(a.length / 2)];
    g.font = '600 13px system-ui, sans-serif'; g.textAlign = 'center'; g.lineWidth = 4; g.lineJoin = 'round';
    g.strokeStyle = Tacit.css('--raised'); g.fillStyle = Tacit.css('--ink');
    t.names.forEach((name, k) => {
      if (this.only !== null && this.only !== k) return;
      const at = []; for (let i = 0; i < this.n; i++) if (t.values[i] === k) at.push(i);
      if (!at.length) return;
      const x = middle(at.map(i => this.px[i])), y = middle(at.map(i => this.py[i])) + 4, short = name.length > 14 ? name.slice(0, 13) + '…' : name;
      g.strokeText(short, x, y); g.fillText(short, x, y);
    });
  }

  source(i) { const s = this.d.sprites; return [i % s.columns * s.width, Math.floor(i / s.columns) * s.height, s.width, s.height]; }

  /* Pictures where their points are, one to each cell of a mesh, so that none covers another. */
  thumbnails(g) {
    if (!this.sheet.complete) return;
    const s = this.d.sprites, side = this.w > 600 ? 30 : 22, scale = side / Math.max(s.width, s.height), taken = new Set();
    g.imageSmoothingEnabled = s.width * scale < s.width;
    for (let i = 0; i < this.n; i++) {
      if (!this.shown(i)) continue;
      const cell = `${Math.floor(this.px[i] / side)} ${Math.floor(this.py[i] / side)}`;
      if (taken.has(cell)) continue;
      taken.add(cell);
      const x = (Math.floor(this.px[i] / side) + .5) * side, y = (Math.floor(this.py[i] / side) + .5) * side;
      g.drawImage(this.sheet, ...this.source(i), x - s.width * scale / 2, y - s.height * scale / 2, s.width * scale - 1, s.height * scale - 1);
    }
  }

  nearest(x, y, reach) {
    let best = -1, least = reach * reach;
    for (let i = 0; i < this.n; i++) {
      if (!this.shown(i)) continue;
      const d = (this.px[i] - x) ** 2 + (this.py[i] - y) ** 2;
      if (d < least) { least = d; best = i; }
    }
    return best;
  }

  /* The next point in a direction, straight ahead before aside. */
  towards([wx, wy]) {
    let best = this.at, least = Infinity;
    for (let i = 0; i < this.n; i++) {
      if (i === this.at || !this.shown(i)) continue;
      const dx = this.px[i] - this.px[this.at], dy = this.py[i] - this.py[this.at], ahead = dx * wx + dy * wy;
      const cost = ahead + 2 * Math.abs(dx * wy - dy * wx);
      if (ahead > .5 && cost < least) { least = cost; best = i; }
    }
    return best;
  }

  pick(i) { if (i === this.at) return; this.at = i; this.draw(); this.tell(); }

  tell() {
    const T = Tacit, d = this.d, i = this.at;
    this.tip.hidden = i < 0;
    if (i < 0) return;
    const lines = [d.ids[i]];
    for (const t of d.tints) {
      const v = t.values[i];
      lines.push(`${t.name}: ${t.kind === 'number' ? T.number(v) + (t.unit ? ' ' + t.unit : '') : v < 0 ? 'not known' : t.names[v]}`);
    }
    if (d.fields) d.fields.names.forEach((name, j) => lines.push(`${name}: ${T.number(d.fields.rows[i][j])}`));
    this.tip.replaceChildren();
    if (d.sprites && this.sheet.complete) {
      const s = d.sprites, k = Math.max(1, Math.round(96 / Math.max(s.width, s.height)));
      const c = T.make('canvas', {width: s.width * k, height: s.height * k}), g = c.getContext('2d');
      g.imageSmoothingEnabled = false;
      g.drawImage(this.sheet, ...this.source(i), 0, 0, c.width, c.height);
      this.tip.append(c);
    }
    lines.forEach(line => this.tip.append(T.make('div', {}, line)));
    this.live.textContent = lines.join(', ');
    const x = this.px[i], y = this.py[i], w = this.tip.offsetWidth, h = this.tip.offsetHeight;
    this.tip.style.left = `${Math.max(2, Math.min(this.w - w - 2, x + 16 + w > this.w ? x - w - 14 : x + 16))}px`;
    this.tip.style.top = `${Math.max(2, y + 14 + h > this.h ? y - h - 12 : y + 14)}px`;
  }
}

document.querySelectorAll('[data-scatter]').forEach(place => {
  place.scatter = new Scatter(place, Tacit.data.scatters[place.dataset.scatter]);
  Tacit.root.dataset.scatters = String(Number(Tacit.root.dataset.scatters || 0) + 1);
});
