'use strict';
/* One small chart for each term: the mean of a stretch of steps, its range as a band, a read-out under the pointer. */
class Chart {
  constructor(place, c, phases) {
    Object.assign(this, {c, phases, log: false, x: 'step', w: 340, h: 180, box: {left: 54, right: 10, top: 8, bottom: 34}});
    this.readout = Tacit.make('span', {});
    const title = Tacit.make('figcaption', {}, Tacit.make('b', {}, c.name), this.readout);
    this.svg = Tacit.svg('svg', {viewBox: `0 0 ${this.w} ${this.h}`, tabindex: '0', role: 'img',
      'aria-label': `${c.name}: from ${Tacit.number(c.first)} to ${Tacit.number(c.last)} over ${Tacit.number(c.step[c.step.length - 1])} steps`});
    place.append(Tacit.make('figure', {class: 'chart'}, title, this.svg));
    this.svg.addEventListener('pointermove', e => {
      const r = this.svg.getBoundingClientRect();
      this.read(this.near((e.clientX - r.left) / r.width * this.w));
    });
    this.svg.addEventListener('pointerleave', () => this.read(-1));
    this.svg.addEventListener('blur', () => this.read(-1));
    this.svg.addEventListener('keydown', e => {
      const way = {ArrowLeft: -1, ArrowRight: 1}[e.key];
      if (!way) return;
      e.preventDefault();
      this.read(Math.max(0, Math.min(c.mean.length - 1, (this.at < 0 ? (way > 0 ? -1 : c.mean.length) : this.at) + way)));
    });
    this.draw();
  }

  near(px) {
    let best = 0;
    for (let i = 1; i < this.sx.length; i++) if (Math.abs(this.sx[i] - px) < Math.abs(this.sx[best] - px)) best = i;
    return best;
  }

  draw() {
    const T = Tacit, {c, w, h, box} = this, xs = c[this.x];
    const log = this.log && c.min > 0;
    const f = log ? Math.log10 : v => v;
    let low = Math.min(...c.low), high = Math.max(...c.high);
    if (low === high) { const by = Math.abs(low) * .1 || 1; if (!log) low -= by; high += by; }
    const x0 = 0, x1 = xs[xs.length - 1] || 1, y0 = f(low), y1 = f(high);
    const X = v => box.left + (v - x0) / (x1 - x0) * (w - box.left - box.right);
    const Y = v => box.top + (y1 - f(v)) / (y1 - y0 || 1) * (h - box.top - box.bottom);
    this.sx = xs.map(X); this.sy = c.mean.map(Y);
    this.svg.replaceChildren();
    const add = (tag, attributes, ...children) => this.svg.append(T.svg(tag, attributes, ...children));
    for (const v of T.ticks(low, high, 4, log)) {
      add('line', {class: 'axis', x1: box.left, x2: w - box.right, y1: Y(v), y2: Y(v)});
      add('text', {class: 'tick', x: box.left - 6, y: Y(v) + 4, 'text-anchor': 'end'}, T.number(v));
    }
    for (const v of T.ticks(x0, x1, 4)) {
      add('line', {class: 'axis', x1: X(v), x2: X(v), y1: box.top, y2: h - box.bottom});
      add('text', {class: 'tick', x: Math.min(X(v), w - 18), y: h - box.bottom + 14, 'text-anchor': 'middle'}, T.number(v));
    }
    add('text', {class: 'tick', x: (box.left + w - box.right) / 2, y: h - 4, 'text-anchor': 'middle'}, this.x === 'step' ? 'step' : 'time (s)');
    if (this.x === 'step') this.phases.slice(1).forEach(([at, name]) => {
      add('line', {class: 'phase', x1: X(at), x2: X(at), y1: box.top, y2: h - box.bottom}, T.svg('title', {}, `phase ${name}`));
    });
    const band = this.sx.map((x, i) => `${x.toFixed(1)} ${Y(c.high[i]).toFixed(1)}`).concat(this.sx.map((x, i) => `${x.toFixed(1)} ${Y(c.low[i]).toFixed(1)}`).reverse());
    add('path', {class: 'band', d: `M${band.join('L')}Z`});
    add('path', {class: 'line', d: `M${this.sx.map((x, i) => `${x.toFixed(1)} ${this.sy[i].toFixed(1)}`).join('L')}${this.sx.length === 1 ? 'h1' : ''}`});
    this.dot = T.svg('circle', {r: 4, fill: T.css('--accent') || '#1f5fbf', visibility: 'hidden'});
    this.svg.append(this.dot);
    this.linear = this.log && !log;
    this.read(-1);
  }

  read(i) {
    const T = Tacit, c = this.c;
    this.at = i;
    this.dot.setAttribute('visibility', i < 0 ? 'hidden' : 'visible');
    if (i < 0) {
      this.readout.textContent = (this.linear ? 'has values ≤ 0: linear · ' : '') + `last ${T.number(c.last)}`;
      return;
    }
    this.dot.setAttribute('cx', this.sx[i]);
    this.dot.setAttribute('cy', this.sy[i]);
    this.readout.textContent = `${T.number(c.mean[i])} at step ${T.number(c.step[i])}, ${T.number(c.time_s[i])} s`;
  }
}

(() => {
  const place = document.getElementById('charts'), d = Tacit.data.curves;
  if (!place || !d) { Tacit.root.dataset.ready = 'true'; return; }
  const charts = [];
  const all = change => charts.forEach(c => { change(c); c.draw(); });
  place.append(Tacit.make('div', {class: 'controls'},
    Tacit.choice('Height', ['linear', 'logarithmic'], 0, i => all(c => { c.log = i === 1; })),
    Tacit.choice('Along', ['steps', 'time'], 0, i => all(c => { c.x = i ? 'time_s' : 'step'; }))));
  for (const group of d.groups) {
    const box = Tacit.make('div', {class: 'charts'});
    place.append(Tacit.make('h3', {}, group.player), box);
    group.curves.forEach(c => charts.push(new Chart(box, c, d.phases)));
  }
  Tacit.root.dataset.charts = String(charts.length);
  Tacit.root.dataset.ready = 'true';
})();
