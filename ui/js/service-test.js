// Which rule of a service would match an answer that somebody saved: what `signbell service test` says.

import { call } from './bridge.js';
import { h } from './dom.js';
import { button, fact, failure, fold } from './parts.js';
import { act, changed, say, state } from './store.js';
import { t } from './words.js';

/** Draws the field, and what came of it. */
export function judgement({ service }) {
  const place = `test-${service}`;
  const told = state.judged.get(service);
  const test = (event) => {
    event.preventDefault();
    const response = new FormData(event.target).get(place);
    act(place, async () => {
      const judged = await call('service_test', { service, response });
      state.judged.set(service, judged);
      say(judged.why ?? judged.action);
    });
  };
  return fold(
    place,
    t('service.test.open'),
    h(
      'form',
      { class: 'test-form', on: { submit: test } },
      h('label', { for: `text-${place}` }, t('service.test.label')),
      h('textarea', {
        id: `text-${place}`,
        name: place,
        rows: '6',
        required: true,
        dir: 'ltr',
        spellcheck: 'false',
        autocomplete: 'off',
        placeholder: 'HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer error="invalid_token"\n\n{}',
        on: {
          input: () => {
            if (state.judged.delete(service)) changed();
          },
        },
      }),
      h('div', { class: 'actions' }, button(t('service.test.submit'), { type: 'submit', place, id: `send-${place}` })),
    ),
    failure(place),
    told &&
      h(
        'dl',
        { class: 'explained judged', key: 'told' },
        fact(t('refusal.came'), told.rule ? [t('refusal.status', { status: told.status }), ' ', h('code', null, told.rule)] : String(told.status)),
        told.why && fact(t('refusal.why'), h('span', { dir: 'auto' }, told.why)),
        fact(t('refusal.decision'), h('span', { class: 'decided', dir: 'auto' }, told.action)),
        told.source && fact(t('service.test.source'), h('span', { dir: 'auto' }, told.source)),
      ),
  );
}
