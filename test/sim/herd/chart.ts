/** Line charts as SVG, readable on light and on dark pages. */

export interface Line {
  readonly name: string;
  /** Evenly spaced from 0 to the end of the axis. */
  readonly values: readonly number[];
  readonly dashed?: boolean;
}

export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly x: { readonly label: string; readonly max: number };
  readonly y: { readonly label: string; readonly max: number; readonly show: (value: number) => string };
  readonly lines: readonly Line[];
  /** A level to compare with. */
  readonly level?: { readonly at: number; readonly name: string };
}

const [WIDTH, HEIGHT] = [760, 400];
const PLOT = { left: 72, top: 58, right: 560, bottom: 340 };

/** Okabe and Ito's palette, told apart by colour-blind readers too, without the yellow and black that a page may swallow. */
const COLOURS = ['#d55e00', '#0072b2', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#8c6bb1', '#999999'];

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);

/** A round step that divides the axis into four to eight. */
export function tick(max: number): number {
  const rough = 10 ** Math.floor(Math.log10(max / 4));
  return [1, 2, 2.5, 5, 10].map((n) => n * rough).findLast((step) => max / step >= 4)!;
}

export function svg({ title, subtitle, x, y, lines, level }: Chart): string {
  const atX = (value: number) => PLOT.left + (value / x.max) * (PLOT.right - PLOT.left);
  const atY = (value: number) => PLOT.bottom - (Math.min(value, y.max) / y.max) * (PLOT.bottom - PLOT.top);
  const text = (at: string, content: string, of = '') => `<text ${at} ${of}>${escaped(content)}</text>`;
  const ticks = (max: number) => {
    const step = tick(max);
    return Array.from({ length: Math.floor(max / step + 1e-9) + 1 }, (_, i) => i * step);
  };
  const rows = [
    ...ticks(y.max).flatMap((value) => [
      `<path class="grid" d="M${PLOT.left} ${atY(value).toFixed(1)}H${PLOT.right}"/>`,
      text(`x="${PLOT.left - 8}" y="${(atY(value) + 4).toFixed(1)}"`, y.show(value), 'text-anchor="end"'),
    ]),
    ...ticks(x.max).map((value) =>
      text(
        `x="${atX(value).toFixed(1)}" y="${PLOT.bottom + 18}"`,
        String(+value.toFixed(3)),
        'text-anchor="middle"',
      ),
    ),
    text(`x="${(PLOT.left + PLOT.right) / 2}" y="${PLOT.bottom + 42}"`, x.label, 'text-anchor="middle"'),
    text(
      `transform="translate(16 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)"`,
      y.label,
      'text-anchor="middle"',
    ),
  ];
  if (level) {
    rows.push(
      `<path class="level" d="M${PLOT.left} ${atY(level.at).toFixed(1)}H${PLOT.right}"/>`,
      text(`x="${PLOT.right + 12}" y="${(atY(level.at) + 4).toFixed(1)}"`, level.name),
    );
  }
  lines.forEach(({ name, values, dashed }, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    const points = values.map(
      (value, at) => `${atX((at / (values.length - 1)) * x.max).toFixed(1)} ${atY(value).toFixed(1)}`,
    );
    const dash = dashed ? ' stroke-dasharray="6 4"' : '';
    const keyY = PLOT.top + 8 + i * 22;
    rows.push(
      `<path d="M${points.join('L')}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
      `<path d="M${PLOT.right + 14} ${keyY}h22" stroke="${colour}" stroke-width="3"${dash}/>`,
      text(`x="${PLOT.right + 42}" y="${keyY + 4}"`, name),
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>
  svg { background: #fff; font: 12px system-ui, sans-serif; }
  text { fill: #24292f; }
  .title { font-size: 15px; font-weight: 600; }
  .grid { stroke: #8888; stroke-width: .5; }
  .level { stroke: #24292f; stroke-width: 1; stroke-dasharray: 2 3; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; }
    text { fill: #e6edf3; }
    .level { stroke: #e6edf3; }
  }
</style>
${text(`x="${PLOT.left}" y="22"`, title, 'class="title"')}
${text(`x="${PLOT.left}" y="42"`, subtitle)}
${rows.join('\n')}
</svg>
`;
}
