// One session's row: who, how it stands, what is left of it, and, if the person is needed, why.

import { accountInside } from './account-inside.js';
import { askPanel, needsPerson } from './ask.js';
import { call } from './bridge.js';
import { devicePanel } from './device.js';
import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { button, failure } from './parts.js';
import { rowHead } from './row.js';
import { act, state } from './store.js';
import { ago, moment, span } from './time.js';
import { pieces, t } from './words.js';

const STATES = {
  active: ['fine', 'good'],
  refreshing: ['renew', 'quiet'],
  needs_sign_in: ['ringing', 'warn'],
  signed_out: ['out', 'quiet'],
  unavailable: ['locked', 'warn'],
};

/** Draws it. */
export function accountRow(account, view, now) {
  const id = account.account;
  const open = state.open.has(id);
  const needing = account.state === 'needs_sign_in';
  return h(
    'li',
    { class: `row${needsPerson(account) ? ' needs' : ''}${open ? ' is-open' : ''}`, key: id, roam: `account-${id}`, 'data-home': `row-${id}` },
    rowHead({
      head: `row-${id}`,
      id,
      among: state.open,
      inside: `inside-${id}`,
      of: account.provider,
      title: heading(account),
      lines: [
        stateLine(account, now),
        account.waiting > 0 &&
          account.waiting_words &&
          h(
            'p',
            { class: 'row-waiting', key: 'waiting' },
            glyph('waiting'),
            h('span', { dir: 'auto' }, account.waiting_words),
          ),
        // Which program, where the system tells; many at once are told by the sentence above alone.
        (account.waiting_requests ?? [])
          .slice(0, 3)
          .filter((request) => request.program)
          .map((request, i) => h('p', { class: 'row-waiting-by', key: `by-${i}`, dir: 'auto' }, request.words)),
      ],
      side:
        needing ||
        (account.signing_in && !account.ask) ||
        account.state === 'signed_out' ||
        account.state === 'unavailable'
          ? actions(account)
          : life(account, now),
    }),
    account.ask && askPanel(account),
    account.device && devicePanel(account),
    failure(`account-${id}`),
    open && accountInside(account, view, now),
  );
}

// The identity is what one looks for, so it is set apart from the provider that follows it.
function heading({ title, identity }) {
  if (!identity || !title.startsWith(identity) || title === identity) return name(title, { class: 'row-name' });
  const rest = title.slice(identity.length).replace(/^\s*·\s*/, '');
  return [
    name(identity, { class: 'row-name' }),
    ' ',
    h('span', { class: 'row-rest' }, h('span', { class: 'unseen' }, '· '), name(rest)),
  ];
}

function stateLine(account, now) {
  const lives = account.state === 'active' || account.state === 'refreshing';
  const failing = account.state === 'active' && account.reason;
  const [icon, look] = failing ? ['failing', 'warn'] : lives && account.ask ? ['asked', 'warn'] : STATES[account.state];
  const why = account.state === 'needs_sign_in' || account.state === 'unavailable' ? account.reason_words : null;
  return h(
    'p',
    { class: 'row-state' },
    glyph(icon, look),
    h(
      'span',
      { class: 'row-state-text' },
      h('span', { class: `row-words ${look}`, dir: 'auto' }, account.state_words),
      why && why !== account.state_words
        ? h('span', { class: 'row-why', dir: 'auto', key: 'why' }, ' ', why)
        : used(account, now),
    ),
  );
}

function used({ last_used, last_used_by }, now) {
  if (!last_used || !last_used_by) return null;
  return h(
    'span',
    { class: 'row-used', key: 'used', title: moment(last_used) },
    h('span', { 'aria-hidden': 'true' }, ' · '),
    pieces('account.used', { tool: name(last_used_by), when: ago(last_used, now) }),
  );
}

// What is left of the access token. A short one that renews itself is nothing to worry about.
function life({ state: how, issued_at, expires_at, refreshable }, now) {
  const left = Math.max(0, (expires_at ?? 0) - now);
  if (!expires_at || (left === 0 && how === 'refreshing')) return null;
  const whole = expires_at - (issued_at ?? now);
  const part = whole > 0 ? Math.min(1, left / whole) : 0;
  const low = !refreshable && part < 0.2;
  return h(
    'div',
    { class: `life${low ? ' low' : ''}`, key: 'life', title: moment(expires_at) },
    h(
      'div',
      { class: 'life-bar', 'aria-hidden': 'true' },
      h('div', { class: 'life-left', style: { '--part': part.toFixed(4) } }),
    ),
    h(
      'p',
      { class: 'life-words' },
      left > 0 ? t('life.left', { time: span(left) }) : refreshable ? t('life.renews') : t('life.over'),
    ),
  );
}

function actions(account) {
  const { account: id, signing_in, state: how, ring, waiting } = account;
  const place = `account-${id}`;
  if (account.device) return null; // its own panel says all
  if (signing_in) return h('p', { class: 'row-browser', key: 'browser' }, glyph('browser'), t('account.browser'));
  if (how === 'unavailable')
    return button(t('account.retry'), {
      id: `act-${id}`,
      key: 'retry',
      place,
      on: () => act(place, () => call('refresh', { account: id })),
    });
  const signIn = () => act(place, () => call('sign_in', { account: id }));
  if (how === 'signed_out') return button(t('account.sign_in'), { id: `act-${id}`, key: 'sign-in', place, on: signIn });
  return [
    button(t(account.identity ? 'account.sign_in_again' : 'account.sign_in'), {
      look: 'filled',
      id: `act-${id}`,
      key: 'again',
      place,
      on: signIn,
    }),
    (ring || waiting > 0) &&
      button(t('account.later'), {
        look: 'plain',
        key: 'later',
        on: () => act(`later-${id}`, () => call('later', { account: id })),
      }),
    failure(`later-${id}`),
  ];
}
