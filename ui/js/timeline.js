// A session's life as a picture: from its first event at hand until now, what the person did above the
// line, what Signbell did by itself below it. Each kind has its own shape, the line is solid while the
// session lived and dotted while it did not, so nothing is told by colour alone; the words below count
// what is drawn, and the list under them has it line by line.

import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { moment, recent } from './time.js';
import { plural, t } from './words.js';

const KINDS = {
  signed_in: { icon: 'enter', look: '', above: true },
  ended: { icon: 'ringing', look: 'warn', above: true },
  signed_out: { icon: 'leave', look: '', above: true },
  sign_in_failed: { icon: 'failing', look: 'warn', above: true },
  refreshed: { icon: 'renew', look: '', above: false },
  recovered: { icon: 'rescued', look: 'good', above: false },
  refresh_failed: { icon: 'failing', look: 'warn', above: false },
};
const LIVES = { signed_in: true, refreshed: true, recovered: true, ended: false, signed_out: false };
const ALL = Object.keys(KINDS);
const SLOTS = 20; // marks that fit beside each other
const SHORTEST = 60; // seconds
const EDGE = 2; // percent that stay free on either side
const [TALL, LINE] = [64, 32];

/** Draws it; nothing where nothing has happened. `records` are newest first. */
export function timeline(account, records, now) {
  const events = records.filter((record) => Object.hasOwn(KINDS, record.kind)).reverse();
  if (events.length === 0) return null;
  const from = Math.min(events[0].at, now - SHORTEST);
  const place = (at) => EDGE + ((Math.min(at, now) - from) / Math.max(1, now - from)) * (100 - 2 * EDGE);
  const counts = ALL.map((kind) => [kind, events.filter((event) => event.kind === kind).length]).filter(([, n]) => n > 0);
  return h(
    'figure',
    { class: 'timeline', key: 'timeline' },
    h(
      'svg',
      { class: 'timeline-picture', width: '100%', height: TALL, role: 'img', 'aria-label': spoken(account, counts, from) },
      spans(account, events).map(([begin, end, lives], i) =>
        h('line', {
          key: `span-${i}`,
          class: lives ? 'timeline-lives' : 'timeline-over',
          x1: percent(place(Math.max(begin, from))),
          x2: percent(place(end ?? now)),
          y1: LINE,
          y2: LINE,
        }),
      ),
      groups(events, place).map((group) => markOf(group)),
      h('line', { key: 'now', class: 'timeline-now', x1: percent(100 - EDGE), x2: percent(100 - EDGE), y1: 20, y2: 44 }),
    ),
    h(
      'div',
      { class: 'timeline-axis', 'aria-hidden': 'true' },
      h('span', null, recent(from, now)),
      h('span', null, t('chart.now')),
    ),
    h(
      'ul',
      { class: 'timeline-legend', 'aria-hidden': 'true' },
      counts.map(([kind, n]) =>
        h('li', { key: kind }, glyph(KINDS[kind].icon, KINDS[kind].look), h('span', null, plural(`timeline.${kind}`, n))),
      ),
    ),
  );
}

// From when to when it lived, or did not; the last one lasts until now, as the account stands.
function spans(account, events) {
  const spans = [];
  for (const { at, kind } of events) {
    if (!Object.hasOwn(LIVES, kind)) continue;
    const last = spans.at(-1);
    if (last && last[2] === LIVES[kind]) continue;
    // What ends now lived before, also where its beginning is not at hand.
    if (!last && !LIVES[kind]) spans.push([-Infinity, at, true]);
    if (last) last[1] = at;
    spans.push([at, null, LIVES[kind]]);
  }
  const now = account.state === 'active' || account.state === 'refreshing';
  const last = spans.at(-1);
  if (!last) return [[-Infinity, null, now]];
  // What is not at hand can't be drawn, but how it stands is known.
  if (last[2] !== now) last[2] = now;
  return spans;
}

// Marks that would lie on each other are one, with their number.
function groups(events, place) {
  const all = new Map();
  for (const event of events) {
    const slot = Math.round((place(event.at) / 100) * SLOTS);
    const key = `${event.kind}-${slot}`;
    if (!all.has(key)) all.set(key, { key, kind: event.kind, slot, events: [] });
    all.get(key).events.push(event);
  }
  // Two kinds in one place stand beside each other.
  const taken = new Set();
  const free = (lane, slot) => !taken.has(`${lane}-${slot}`);
  for (const group of [...all.values()].reverse()) {
    const lane = KINDS[group.kind].above ? 'above' : 'below';
    let slot = Math.min(group.slot, SLOTS - 1);
    while (slot > 0 && !free(lane, slot)) slot -= 1;
    group.slot = slot;
    taken.add(`${lane}-${slot}`);
  }
  return [...all.values()];
}

function markOf({ key, kind, slot, events }) {
  const { icon, look, above } = KINDS[kind];
  const x = percent(Math.max(EDGE, Math.min(100 - EDGE, (slot / SLOTS) * 100)));
  const y = above ? 4 : LINE + 12;
  const last = events.at(-1);
  return h(
    'svg',
    { key, class: `timeline-mark ${look}`, x, y, width: 1, height: 1, 'data-kind': kind },
    h('title', null, events.length === 1 ? `${t(`kind.${kind}`)} · ${moment(last.at)}` : plural(`timeline.${kind}`, events.length)),
    h('line', { class: 'timeline-stem', x1: 0, x2: 0, y1: above ? 18 : -10, y2: above ? 26 : -3 }),
    h('g', { transform: 'translate(-8 0)' }, glyph(icon)),
    events.length > 1 && h('text', { class: 'timeline-n', x: 9, y: 12 }, events.length),
  );
}

function spoken(account, counts, from) {
  return t('timeline.spoken', {
    since: moment(from),
    events: counts.map(([kind, n]) => plural(`timeline.${kind}`, n)).join(', '),
    state: account.state_words,
  });
}

function percent(number) {
  return `${number.toFixed(2)}%`;
}
