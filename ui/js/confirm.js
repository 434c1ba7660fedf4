// What waits for the person's answer: whether a program may use a service, whether programs may do more.

import { call } from './bridge.js';
import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { button, failure } from './parts.js';
import { act } from './store.js';
import { t } from './words.js';

/** Draws the questions; they stand above every view. */
export function confirms(view) {
  const open = [...(view.permits ?? []).map(permit), ...(view.confirms ?? []).map(confirm)];
  return open.length > 0 && h('ul', { class: 'confirms', key: 'confirms', 'aria-label': t('confirm.open') }, open);
}

function permit({ id, title, body }) {
  const place = `permit-${id}`;
  const say = (allow) => () => act(place, () => call('permit', { id, allow }));
  return question(place, { title, body, proof: t('permit.proof') }, [
    button(t('permit.allow'), { id: `${place}-allow`, place, on: say(true) }),
    button(t('confirm.no'), { id: `${place}-no`, look: 'plain', place, on: say(false) }),
  ]);
}

function confirm({ id, title, body, path }) {
  const place = `confirm-${id}`;
  const say = (answer) => () => act(place, () => call('confirm', { id, answer }));
  return question(place, { title, body, proof: t('confirm.proof') }, [
    path && button(t('confirm.always'), { id: `${place}-always`, place, on: say('always') }),
    button(t('confirm.hour'), { id: `${place}-hour`, place, on: say('hour') }),
    button(t('confirm.no'), { id: `${place}-no`, look: 'plain', place, on: say('no') }),
  ]);
}

function question(place, { title, body, proof }, answers) {
  return h(
    'li',
    { class: 'confirm', key: place },
    glyph('ringing', 'warn'),
    h(
      'div',
      { class: 'confirm-text', role: 'group', 'aria-labelledby': `${place}-title` },
      h('p', { class: 'confirm-title', id: `${place}-title`, dir: 'auto' }, title),
      h('p', { class: 'hint', dir: 'auto' }, body),
      h('div', { class: 'actions' }, answers),
      h('p', { class: 'hint' }, proof),
      failure(place),
    ),
  );
}
