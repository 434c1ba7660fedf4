// Connecting a client: which one, which services, what changes in its file, one button; then how to take it
// back. What is shown is what is written: the program keeps it, and the page only says yes.

import { call } from './bridge.js';
import { h } from './dom.js';
import { button, failure } from './parts.js';
import { go } from './route.js';
import { sheet } from './sheet.js';
import { act, changed, focusSoon, say, state } from './store.js';
import { serviceTicks } from './ticks.js';
import { pieces, t } from './words.js';

const PLACE = 'connect';

/** Draws it. */
export function connectSheet(view) {
  const it = begun(view);
  return sheet(
    'sheet-connect',
    t('connect.title'),
    '#tools',
    h(
      'form',
      { class: 'form', key: 'connect', on: { submit: apply } },
      h(
        'div',
        { class: 'form-fields' },
        it.done ? h('p', { class: 'connect-done', id: 'connect-told', tabindex: '-1', lang: 'en' }, it.done) : [client(it), services(it, view)],
        change(it),
      ),
      h('div', { class: 'actions' }, trouble(it), buttons(it)),
    ),
  );
}

// The clients are asked for once, when the sheet comes up.
function begun(view) {
  if (!state.connecting) {
    state.connecting = {
      clients: [],
      client: '',
      services: new Set(view.services.length === 1 ? [view.services[0].service] : []),
      plan: null,
      done: null,
      undo: false,
      turn: 0,
    };
    const it = state.connecting;
    act(`${PLACE}-clients`, async () => {
      it.clients = await call('connect_clients');
    });
  }
  return state.connecting;
}

function client(it) {
  return h(
    'div',
    { class: 'field' },
    h('label', { for: 'connect-client' }, t('connect.client')),
    h(
      'select',
      {
        id: 'connect-client',
        autofocus: true,
        'aria-describedby': 'connect-client-hint',
        on: {
          change: (event) => {
            it.client = event.target.value;
            plan(it);
          },
        },
      },
      h('option', { value: '', key: 'none' }, t('connect.client.choose')),
      it.clients.map((one) =>
        h(
          'option',
          { value: one.client, key: one.client },
          one.found ? one.title : t('connect.client.absent', { name: one.title }),
        ),
      ),
    ),
    h('p', { class: 'hint', id: 'connect-client-hint' }, t('connect.client.hint')),
    failure(`${PLACE}-clients`),
  );
}

function services(it, view) {
  return serviceTicks(view, t('connect.services'), 'connect-services', ({ service }) => ({
    checked: it.services.has(service),
    on: {
      change: (event) => {
        if (event.target.checked) it.services.add(service);
        else it.services.delete(service);
        plan(it);
      },
    },
  }));
}

function change(it) {
  if (!it.plan) return null;
  return h(
    'section',
    { class: 'connect-change', key: 'change', 'aria-label': t('connect.change', { file: it.plan.file }) },
    h('p', { class: 'label' }, pieces('connect.change', { file: h('code', { dir: 'ltr' }, it.plan.file) })),
    it.plan.diff !== '' &&
      h('pre', { class: 'diff', dir: 'ltr', tabindex: '0', id: 'connect-diff' }, it.plan.diff.split('\n').slice(2).map(line)),
    !it.plan.changes && h('p', { class: 'hint' }, t('connect.nothing')),
    it.plan.notes.map((note) => h('p', { class: 'hint', key: note, lang: 'en' }, note)),
  );
}

// Not by colour alone: the sign at the beginning says the same.
function line(text, at) {
  const kind = text.startsWith('+') ? 'added' : text.startsWith('-') ? 'taken' : text.startsWith('@@') ? 'where' : '';
  return h('span', { class: `diff-line ${kind}`, key: `line-${at}` }, `${text}\n`);
}

// A tool whose key nobody has any more: a click gives it a new one.
function trouble(it) {
  const unknown = state.failures.get(PLACE)?.code === 'key_unknown';
  return [
    failure(PLACE, unknown ? { tool: it.client } : undefined),
    unknown && button(t('connect.rotate'), { id: 'connect-rotate', key: 'rotate', on: () => plan(it, { rotate: true }) }),
  ];
}

function buttons(it) {
  if (it.done && !it.plan) {
    return [
      button(t('connect.done'), { look: 'filled', id: 'connect-close', key: 'close', on: () => go('#tools') }),
      !it.undo &&
        button(t('connect.undo'), {
          look: 'plain',
          id: 'connect-undo',
          key: 'undo',
          place: PLACE,
          on: () => plan(it, { undo: true }),
        }),
    ];
  }
  return [
    button(it.done ? t('connect.undo.submit') : t('connect.submit'), {
      look: 'filled',
      type: 'submit',
      id: 'connect-submit',
      key: 'submit',
      place: PLACE,
      disabled: !it.plan?.changes,
    }),
    h('a', { class: 'button plain', key: 'cancel', href: '#tools' }, t('cancel')),
  ];
}

// Choices may follow each other faster than files are read: only the last one counts.
function plan(it, more) {
  const turn = ++it.turn;
  it.plan = null;
  state.failures.delete(PLACE);
  changed();
  if (!it.client || it.services.size === 0) return;
  const wish = { client: it.client, services: [...it.services], ...more };
  call('connect_plan', { wish }).then(
    (shown) => {
      if (turn !== it.turn) return;
      it.plan = shown;
      changed();
      if (more) focusSoon('connect-submit');
    },
    (failed) => {
      if (turn !== it.turn) return;
      state.failures.set(PLACE, failed);
      changed();
    },
  );
}

function apply(event) {
  event.preventDefault();
  const it = state.connecting;
  if (!it?.plan?.changes) return;
  act(PLACE, async () => {
    const told = await call('connect_apply');
    it.undo = it.done !== null;
    it.done = told;
    it.plan = null;
    say(told);
    focusSoon('connect-told');
  });
}
