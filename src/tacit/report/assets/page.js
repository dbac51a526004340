'use strict';
/* Shared by the maps and the curves: the data, colours, small helpers; errors are counted on <html data-errors>. */
const Tacit = (() => {
  const root = document.documentElement;
  root.dataset.errors = '0';
  window.addEventListener('error', () => { root.dataset.errors = String(Number(root.dataset.errors) + 1); });
  const data = JSON.parse(document.getElementById('data').textContent);
  const palette = ['#3b7dd8', '#d9730d', '#2f9e44', '#d6336c', '#8457e8', '#0b93a0', '#a06c35', '#a58a00', '#76828f', '#c4412f'];
  const ramp = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const colour = k => k < 0 ? '#8a929c' : palette[k % palette.length];
  const shape = k => k < 0 ? 0 : Math.floor(k / palette.length) % 4;

  function heat(t) {
    const at = Math.max(0, Math.min(1, t)) * (ramp.length - 1);
    const i = Math.min(ramp.length - 2, Math.floor(at));
    return `rgb(${ramp[i].map((c, j) => Math.round(c + (ramp[i + 1][j] - c) * (at - i))).join(',')})`;
  }

  function css(name) { return getComputedStyle(root).getPropertyValue(name).trim(); }

  function make(tag, attributes = {}, ...children) {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(attributes)) {
      if (k === 'class') e.className = v; else if (k.startsWith('on')) e.addEventListener(k.slice(2), v); else e.setAttribute(k, v);
    }
    e.append(...children);
    return e;
  }

  function svg(tag, attributes = {}, ...children) {
    const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...children);
    return e;
  }

  /* A row of buttons of which one is pressed. */
  function choice(name, options, chosen, change) {
    const set = make('fieldset', {}, make('legend', {}, name));
    options.forEach((option, i) => {
      const b = make('button', {type: 'button', 'aria-pressed': String(i === chosen)}, option);
      b.addEventListener('click', () => {
        set.querySelectorAll('button').forEach(o => o.setAttribute('aria-pressed', String(o === b)));
        change(i);
      });
      set.append(b);
    });
    return set;
  }

  function number(v) {
    if (v === null || v === undefined || !isFinite(v)) return '–';
    const a = Math.abs(v);
    if (a !== 0 && (a < 1e-3 || a >= 1e6)) return v.toExponential(2);
    return Number(v.toPrecision(4)).toLocaleString('en');
  }

  /* Round numbers inside [low, high]: about n on a linear axis, powers of ten on a logarithmic one. */
  function ticks(low, high, n, log) {
    const out = [];
    if (log) {
      const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
      if (last - first >= 1) {
        const by = Math.ceil((last - first + 1) / n);
        for (let e = first; e <= last; e += by) out.push(Math.pow(10, e));
        return out;
      }
    }
    const span = high - low || 1, rough = span / n, unit = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].map(k => k * unit).find(k => k >= rough);
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(Number((i * step).toPrecision(12)));
    return out;
  }

  /* A marker as SVG: colours repeat after ten groups, with another shape. */
  function marker(k) {
    const s = svg('svg', {width: 14, height: 14, viewBox: '-7 -7 14 14', 'aria-hidden': 'true'});
    const paths = ['M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0', 'M-4.5-4.5h9v9h-9z', 'M0-6l5.5 10h-11z', 'M0-6l6 6-6 6-6-6z'];
    s.append(svg('path', {d: paths[shape(k)], fill: colour(k)}));
    return s;
  }

  return {root, data, palette, colour, shape, heat, css, make, svg, choice, number, ticks, marker};
})();

document.querySelectorAll('[data-marker]').forEach(e => e.append(Tacit.marker(Number(e.dataset.marker))));
