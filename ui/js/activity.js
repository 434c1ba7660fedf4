// The third view: what happened, a line a thing.

import { chart } from './chart.js';
import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { button, fact, failure } from './parts.js';
import { changed, say, state, toggle } from './store.js';
import { clock, date, day, moment, recent, took } from './time.js';
import { plural, t } from './words.js';

const KINDS = {
  signed_in: ['enter', ''],
  sign_in_failed: ['failing', 'warn'],
  signed_out: ['leave', ''],
  refreshed: ['renew', ''],
  refresh_failed: ['failing', 'warn'],
  ended: ['ringing', 'warn'],
  recovered: ['rescued', 'good'],
  held: ['waiting', 'warn'],
  hold_over: ['waiting', ''],
  passed_on: ['passed', 'warn'],
  scopes_asked: ['asked', 'warn'],
  hint: ['hint', 'warn'],
  refused: ['refused', 'bad'],
  used: ['used', ''],
  changed: ['changed', ''],
};

/** Draws it. */
export function activity(view, now) {
  const all = state.activity;
  return [
    h(
      'div',
      { class: 'title', key: 'title' },
      h(
        'div',
        { class: 'title-text' },
        h('h1', null, t('activity.title')),
        h('p', { class: 'aside', id: 'recoveries' }, recoveries(view) ?? t('activity.about')),
      ),
    ),
    failure('activity'),
    all &&
      (all.length === 0
        ? h('div', { class: 'nothing', key: 'nothing' }, glyph('bell'), h('p', null, t('activity.none')))
        : [filters(all), chart(all.filter(chosen), now), lines(all.filter(chosen), now)]),
  ];
}

/** One thing that happened; `dated` where no heading says the day. */
export function line(record, now, dated) {
  const [icon, look] = KINDS[record.kind] ?? ['used', ''];
  return h(
    'li',
    { class: 'line', key: record.id, 'data-kind': record.kind },
    h(
      'time',
      { class: 'line-time', datetime: new Date(record.at * 1000).toISOString(), title: moment(record.at) },
      dated ? recent(record.at, now) : clock(record.at),
    ),
    glyph(icon, look),
    h(
      'div',
      { class: 'line-text' },
      h(
        'p',
        null,
        h('span', { class: 'unseen' }, t(`kind.${record.kind}`), ': '),
        // A sentence of ours, whichever way the name runs that it may begin with.
        h('span', { dir: 'ltr' }, record.text),
      ),
      record.refusal && brief(record),
    ),
    hasTime(record) && h('span', { class: 'line-took', key: 'took' }, took(record.took_ms)),
    record.refusal && state.shown.has(foldOf(record)) && explained(record),
  );
}

// What came, in the line; the rest of the story is one key away.
function brief(record) {
  const { status, rule } = record.refusal;
  const open = state.shown.has(foldOf(record));
  return h(
    'button',
    {
      type: 'button',
      class: 'brief',
      id: `brief-${record.id}`,
      'aria-expanded': open,
      'aria-controls': open ? foldOf(record) : null,
      'aria-label': t('refusal', { status, rule }),
      on: { click: () => toggle(state.shown, foldOf(record)) },
    },
    h('span', { class: 'status' }, status),
    ' ',
    h('code', null, rule),
    glyph('open', 'turn'),
  );
}

function explained(record) {
  const { status, rule, why, decision } = record.refusal;
  return h(
    'dl',
    { class: 'explained', id: foldOf(record), key: 'explained' },
    fact(t('refusal.came'), t('refusal.status', { status }), ' ', h('code', null, rule)),
    fact(t('refusal.why'), h('span', { dir: 'auto' }, why)),
    fact(t('refusal.decision'), h('span', { class: 'decided', dir: 'auto' }, decision)),
    hasTime(record) && fact(t('refusal.took'), took(record.took_ms)),
  );
}

function foldOf(record) {
  return `told-${record.id}`;
}

function hasTime(record) {
  return record.took_ms !== undefined && record.took_ms !== null;
}

function lines(records, now) {
  if (records.length === 0)
    return h(
      'div',
      { class: 'nothing small', key: 'filtered' },
      h('p', null, t('activity.filtered')),
      button(t('activity.all'), { on: showAll }),
    );
  const days = new Map();
  for (const record of records) {
    const words = day(record.at, now);
    if (!days.has(words)) days.set(words, []);
    days.get(words).push(record);
  }
  return [...days].map(([words, those]) =>
    h(
      'section',
      { class: 'day', key: words },
      h('h2', null, words),
      h(
        'ul',
        { class: 'lines' },
        those.map((record) => line(record, now)),
      ),
    ),
  );
}

function chosen(record) {
  return Object.entries(state.filter).every(([what, wanted]) => !wanted || record[what] === wanted) && sought(record);
}

// Every word, anywhere in what the line says.
function sought(record) {
  const words = plain(state.sought).split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const { account, service, tool, text, kind, refusal } = record;
  const said = [account, service, tool, text, t(`kind.${kind}`), refusal?.status, refusal?.rule, refusal?.why, refusal?.decision];
  const hay = plain(said.filter(Boolean).join(' '));
  return words.every((word) => hay.includes(word));
}

// `Élodie` is found by `elodie`.
function plain(text) {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}

/** What Signbell spared the person since it began to count. */
export function recoveries({ recoveries: told }) {
  if (!told || (told.sign_ins === 0 && told.requests === 0)) return null;
  const values = { since: date(told.since) };
  const both = [
    told.sign_ins > 0 && plural('recoveries.sign_ins', told.sign_ins),
    told.requests > 0 && plural('recoveries.requests', told.requests),
  ];
  return t('recoveries', { ...values, what: both.filter(Boolean).join(', ') });
}

function filters(all) {
  const any = state.sought || Object.values(state.filter).some(Boolean);
  return h(
    'div',
    { class: 'filters', key: 'filters', role: 'group', 'aria-label': t('activity.filter') },
    h('input', {
      id: 'seek',
      type: 'text',
      key: 'seek',
      class: 'seek',
      'aria-label': t('activity.seek'),
      placeholder: t('activity.seek'),
      autocomplete: 'off',
      autocapitalize: 'none',
      spellcheck: 'false',
      dir: 'auto',
      value: state.sought,
      on: {
        input: (event) => {
          state.sought = event.target.value;
          changed();
          sayShown(all);
        },
      },
    }),
    filter('account', all),
    filter('tool', all),
    filter('kind', all, (kind) => t(`kind.${kind}`)),
    any && button(t('activity.all'), { look: 'plain', key: 'all', on: showAll }),
  );
}

function filter(what, all, words = (value) => value) {
  const values = [
    ...new Set(
      all
        .map((record) => record[what])
        .filter(Boolean)
        .concat(state.filter[what] || []),
    ),
  ].sort();
  return h(
    'select',
    {
      id: `filter-${what}`,
      class: state.filter[what] ? 'set' : '',
      'aria-label': t(`activity.by.${what}`),
      value: state.filter[what],
      on: { change: (event) => choose(what, event.target.value, all) },
    },
    h('option', { value: '', key: '' }, t(`activity.any.${what}`)),
    values.map((value) => h('option', { value, key: value, selected: state.filter[what] === value }, words(value))),
  );
}

function choose(what, value, all) {
  state.filter = { ...state.filter, [what]: value };
  changed();
  sayShown(all);
}

// Once the typing pauses.
let soon;
function sayShown(all) {
  clearTimeout(soon);
  soon = setTimeout(() => say(plural('activity.shown', all.filter(chosen).length)), 400);
}

function showAll() {
  state.filter = { account: '', tool: '', kind: '' };
  state.sought = '';
  changed();
}
