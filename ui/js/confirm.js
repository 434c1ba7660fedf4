// Programs that wait for the person to say whether they may use a service.

import { call } from './bridge.js';
import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { button, failure } from './parts.js';
import { act } from './store.js';
import { t } from './words.js';

/** Draws the questions; they stand above every view. */
export function confirms(view) {
  const open = view.confirms ?? [];
  return (
    open.length > 0 &&
    h('ul', { class: 'confirms', key: 'confirms', 'aria-label': t('confirm.open') }, open.map(question))
  );
}

function question({ id, title, body, path }) {
  const place = `confirm-${id}`;
  const say = (answer) => () => act(place, () => call('confirm', { id, answer }));
  return h(
    'li',
    { class: 'confirm', key: place },
    glyph('ringing', 'warn'),
    h(
      'div',
      { class: 'confirm-text', role: 'group', 'aria-labelledby': `${place}-title` },
      h('p', { class: 'confirm-title', id: `${place}-title`, dir: 'auto' }, title),
      h('p', { class: 'hint', dir: 'auto' }, body),
      h(
        'div',
        { class: 'actions' },
        path && button(t('confirm.always'), { id: `${place}-always`, place, on: say('always') }),
        button(t('confirm.hour'), { id: `${place}-hour`, place, on: say('hour') }),
        button(t('confirm.no'), { id: `${place}-no`, look: 'plain', place, on: say('no') }),
      ),
      h('p', { class: 'hint' }, t('confirm.proof')),
      failure(place),
    ),
  );
}
