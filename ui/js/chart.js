// How much happened in each of the last 24 hours, and how much of it was a rescue.

import { h } from './dom.js';
import { clock } from './time.js';
import { plural, t } from './words.js';

const HOURS = 24;
const HOUR = 3600;
const TALL = 44;

/** Draws it. */
export function chart(records, now) {
  const first = (Math.floor(now / HOUR) - HOURS + 1) * HOUR;
  const bars = Array.from({ length: HOURS }, (_, i) => ({ at: first + i * HOUR, all: 0, rescued: 0 }));
  for (const record of records) {
    const bar = bars[Math.floor((record.at - first) / HOUR)];
    if (!bar) continue;
    bar.all += 1;
    if (record.kind === 'recovered') bar.rescued += 1;
  }
  const most = Math.max(...bars.map((bar) => bar.all));
  const total = bars.reduce((sum, bar) => sum + bar.all, 0);
  const rescued = bars.reduce((sum, bar) => sum + bar.rescued, 0);
  return h(
    'figure',
    { class: 'chart', key: 'chart' },
    h(
      'figcaption',
      { class: 'chart-caption' },
      h('span', null, t('chart.caption', { things: plural('chart.things', total) })),
      h(
        'span',
        { class: 'chart-legend' },
        h('span', { class: 'chart-dot', 'aria-hidden': 'true' }),
        plural('chart.rescued', rescued),
      ),
    ),
    h(
      'svg',
      {
        class: 'chart-bars',
        viewBox: `0 0 ${HOURS * 10} ${TALL}`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': spoken(bars, most, total, rescued),
      },
      bars.map((bar, i) => column(bar, i, most)),
    ),
    h(
      'div',
      { class: 'chart-axis', 'aria-hidden': 'true' },
      [0, 6, 12].map((i) => h('span', null, clock(bars[i].at))),
      h('span', null, h('span', null, clock(bars[18].at)), h('span', null, t('chart.now'))),
    ),
  );
}

function column({ at, all, rescued }, i, most) {
  const x = i * 10 + 1.5;
  const tall = all === 0 ? 0 : Math.max(4, (all / most) * (TALL - 2));
  const good = all === 0 ? 0 : Math.max(rescued > 0 ? 3 : 0, tall * (rescued / all));
  return h(
    'g',
    { key: at },
    h(
      'title',
      null,
      `${clock(at)} · ${plural('chart.things', all)}${rescued > 0 ? ` · ${plural('chart.rescued', rescued)}` : ''}`,
    ),
    h('rect', { class: 'chart-hit', x: i * 10, y: 0, width: 10, height: TALL }),
    h('rect', { class: 'chart-ground', x, y: TALL - 1, width: 7, height: 1 }),
    h('rect', { class: 'chart-all', x, y: TALL - tall, width: 7, height: tall }),
    h('rect', { class: 'chart-rescued', x, y: TALL - good, width: 7, height: good }),
  );
}

function spoken(bars, most, total, rescued) {
  const words = [
    t('chart.spoken', { things: plural('chart.things', total), rescued: plural('chart.rescued', rescued) }),
  ];
  if (most > 0)
    words.push(
      t('chart.busiest', {
        time: clock(bars.find((bar) => bar.all === most).at),
        things: plural('chart.things', most),
      }),
    );
  return words.join(' ');
}
