'use strict';
/* Several compositions on one chart: a line for each, the mean over seeds, its band from the least to the largest seed.
   Charts whose lines are in units of their own (terms of different objectives) leave outliers out unless asked. */
class Lines {
  constructor(place, c, names) {
    Object.assign(this, {c, names, mode: 0, w: 340, h: 190, box: {left: 54, right: 10, top: 8, bottom: 34}});
    this.readout = Tacit.make('span', {});
    this.svg = Tacit.svg('svg', {viewBox: `0 0 ${this.w} ${this.h}`, tabindex: '0', role: 'img', 'aria-label':
      `${c.name} over the steps: ` + c.series.map(s => `${names[s.k]} ends at ${Tacit.number(s.mean[s.mean.length - 1])}`).join('; ')});
    place.append(Tacit.make('figure', {class: 'chart'}, Tacit.make('figcaption', {}, Tacit.make('b', {}, c.name), this.readout), this.svg));
    this.svg.addEventListener('pointermove', e => {
      const r = this.svg.getBoundingClientRect();
      this.read((e.clientX - r.left) / r.width * this.w, (e.clientY - r.top) / r.height * this.h);
    });
    for (const name of ['pointerleave', 'blur']) this.svg.addEventListener(name, () => this.still());
    this.svg.addEventListener('keydown', e => {
      const way = {ArrowLeft: -1, ArrowRight: 1}[e.key], s = this.shown()[0];
      if (!way || !s) return;
      e.preventDefault();
      this.at = Math.max(0, Math.min(s.step.length - 1, (this.at === undefined ? -1 : this.at) + way));
      this.tell(s, this.at);
    });
  }

  shown() { return this.c.series.filter(s => !Lines.hidden.has(s.k)); }

  draw() {
    const T = Tacit, {c, w, h, box} = this, shown = this.shown();
    this.svg.replaceChildren();
    if (!shown.length) { this.readout.textContent = 'none shown'; return; }
    const all = shown.flatMap(s => [...s.low, ...s.high]), log = this.mode === 2 && Math.min(...all) > 0;
    let low = Math.min(...all), high = Math.max(...all);
    if (this.mode === 0 && this.c.units) {
      /* No farther than three quartile ranges from the quartiles of what moves: one that runs away must not flatten the others. */
      const moving = shown.filter(s => Math.min(...s.mean) < Math.max(...s.mean));
      const means = (moving.length ? moving : shown).flatMap(s => s.mean).sort((a, b) => a - b);
      const q = p => means[Math.round(p * (means.length - 1))], by = 3 * (q(.75) - q(.25));
      if (by > 0) { low = Math.max(low, q(.25) - by); high = Math.min(high, q(.75) + by); }
    }
    const f = log ? Math.log10 : v => v;
    if (low === high) { const by = Math.abs(low) * .1 || 1; if (!log) low -= by; high += by; }
    const last = Math.max(...c.series.map(s => s.step[s.step.length - 1])) || 1, y0 = f(low), y1 = f(high);
    this.X = v => box.left + v / last * (w - box.left - box.right);
    this.Y = v => box.top + (y1 - f(Math.max(low, Math.min(high, v)))) / (y1 - y0 || 1) * (h - box.top - box.bottom);
    const add = (tag, attributes, ...children) => this.svg.append(T.svg(tag, attributes, ...children));
    for (const v of T.ticks(low, high, 4, log)) {
      add('line', {class: 'axis', x1: box.left, x2: w - box.right, y1: this.Y(v), y2: this.Y(v)});
      add('text', {class: 'tick', x: box.left - 6, y: this.Y(v) + 4, 'text-anchor': 'end'}, T.number(v));
    }
    for (const v of T.ticks(0, last, 4)) {
      add('line', {class: 'axis', x1: this.X(v), x2: this.X(v), y1: box.top, y2: h - box.bottom});
      add('text', {class: 'tick', x: Math.min(this.X(v), w - 18), y: h - box.bottom + 14, 'text-anchor': 'middle'}, T.number(v));
    }
    add('text', {class: 'tick', x: (box.left + w - box.right) / 2, y: h - 4, 'text-anchor': 'middle'}, 'step');
    for (const s of shown) {
      const x = s.step.map(v => this.X(v).toFixed(1)), colour = T.colour(s.k);
      const up = s.high.map((v, i) => `${x[i]} ${this.Y(v).toFixed(1)}`), down = s.low.map((v, i) => `${x[i]} ${this.Y(v).toFixed(1)}`);
      add('path', {class: 'spread', fill: colour, d: `M${up.concat(down.reverse()).join('L')}Z`});
      add('path', {class: 'several', stroke: colour, 'stroke-dasharray': ['', '6 3', '2 3', '8 3 2 3'][T.shape(s.k)],
        d: `M${s.mean.map((v, i) => `${x[i]} ${this.Y(v).toFixed(1)}`).join('L')}${x.length === 1 ? 'h1' : ''}`});
    }
    this.dot = T.svg('circle', {r: 4, visibility: 'hidden'});
    this.svg.append(this.dot);
    this.linear = this.mode === 2 && !log;
    this.still();
  }

  still() {
    this.at = undefined;
    if (this.dot) this.dot.setAttribute('visibility', 'hidden');
    this.readout.textContent = this.linear ? 'has values ≤ 0: linear' : '';
  }

  read(x, y) {
    let best = null, least = Infinity;
    for (const s of this.shown()) s.step.forEach((v, i) => {
      const d = (this.X(v) - x) ** 2 + (this.Y(s.mean[i]) - y) ** 2;
      if (d < least) { least = d; best = [s, i]; }
    });
    if (best) this.tell(...best);
  }

  tell(s, i) {
    const T = Tacit;
    this.dot.setAttribute('cx', this.X(s.step[i])); this.dot.setAttribute('cy', this.Y(s.mean[i]));
    this.dot.setAttribute('fill', T.colour(s.k)); this.dot.setAttribute('visibility', 'visible');
    this.readout.textContent = `${this.names[s.k]}: ${T.number(s.mean[i])} at ${T.number(s.step[i])}`;
  }
}
Lines.hidden = new Set();

(() => {
  const place = document.getElementById('lines'), d = Tacit.data.compare;
  if (!place || !d) { Tacit.root.dataset.ready = 'true'; return; }
  const T = Tacit, charts = [], all = () => charts.forEach(c => c.draw());
  place.append(T.make('div', {class: 'controls'},
    T.choice('Height', ['without outliers', 'everything', 'logarithmic'], 0, i => { charts.forEach(c => { c.mode = i; }); all(); })));
  const key = T.make('div', {class: 'key toggles', role: 'group', 'aria-label': 'Compositions shown'});
  d.names.forEach((name, k) => {
    const b = T.make('button', {type: 'button', 'aria-pressed': 'true'}, T.marker(k), name);
    b.addEventListener('click', () => {
      if (Lines.hidden.has(k)) Lines.hidden.delete(k); else Lines.hidden.add(k);
      b.setAttribute('aria-pressed', String(!Lines.hidden.has(k)));
      all();
    });
    key.append(b);
  });
  place.append(key);
  for (const group of d.groups) {
    const box = T.make('div', {class: 'charts'});
    place.append(T.make('h3', {}, group.name), box);
    group.charts.forEach(c => charts.push(new Lines(box, c, d.names)));
  }
  all();
  T.root.dataset.charts = String(charts.length);
  T.root.dataset.ready = 'true';
})();
