// What other programs on this machine have: listed with where it was read, ticked by the person, taken over one
// after the other. The other programs' files stay as they are.

import { call } from './bridge.js';
import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { button, failure } from './parts.js';
import { go } from './route.js';
import { sheet } from './sheet.js';
import { act, changed, focusSoon, say, state } from './store.js';
import { plural, t } from './words.js';

const PLACE = 'import';

/** Draws it. */
export function importSheet() {
  const it = begun();
  return sheet(
    'sheet-import',
    t('import.title'),
    '#sessions',
    h(
      'form',
      { class: 'form', key: 'import', on: { submit: take } },
      h(
        'div',
        { class: 'form-fields' },
        it.done !== null
          ? h('p', { class: 'import-told', id: 'import-told', tabindex: '-1', key: 'told' }, glyph('done', 'good'), plural('import.done', it.done))
          : h('p', { class: 'hint', key: 'about' }, t('import.about')),
        it.found ? list(it) : state.busy.has(`${PLACE}-look`) && h('p', { class: 'hint', key: 'looking' }, t('import.looking')),
        it.found?.unusable.map((text) => h('p', { class: 'hint', key: text, dir: 'auto', lang: 'en' }, text)),
        failure(`${PLACE}-look`),
      ),
      h('div', { class: 'actions' }, buttons(it)),
    ),
  );
}

// They are looked for once, when the sheet comes up.
function begun() {
  if (!state.importing) {
    state.importing = { found: null, ticked: new Set(), withTokens: new Set(), taken: new Map(), done: null };
    act(`${PLACE}-look`, look);
  }
  return state.importing;
}

async function look() {
  const it = state.importing;
  it.found = await call('import_found');
  if (it.found.items.length === 0) say(t('import.none'));
}

function list(it) {
  const { items } = it.found;
  if (items.length === 0) return h('p', { class: 'hint', id: 'import-none', key: 'none' }, t('import.none'));
  return h(
    'ul',
    { class: 'ticks imports', key: 'items', 'aria-label': t('import.title') },
    // What can be taken over stands first.
    [...items].sort((one, other) => Number(isOff(one)) - Number(isOff(other))).map((item) => row(it, item)),
  );
}

function isOff({ here, lacks }) {
  return Boolean(here || lacks);
}

function row(it, item) {
  const taken = it.taken.get(item.id);
  const why = taken ? 'taken' : item.here ? 'here' : item.lacks ? `lacks.${item.lacks}` : null;
  const id = `import-${item.id}`;
  return h(
    'li',
    { class: 'import', key: item.id },
    h(
      'label',
      { class: `tick${why ? ' is-off' : ''}` },
      h('input', {
        type: 'checkbox',
        id,
        checked: it.ticked.has(item.id) || Boolean(taken),
        disabled: Boolean(why) || state.busy.has(PLACE),
        'aria-describedby': `${id}-about`,
        on: { change: ({ target }) => tick(it.ticked, item.id, target.checked) },
      }),
      h(
        'span',
        { class: 'tick-text' },
        name(item.url ?? item.who ?? item.id, { class: 'tick-name' }),
        h('span', { class: 'aside', id: `${id}-about` }, told(item, why, taken)),
        h('span', { class: 'aside import-place', dir: 'ltr' }, `${item.source} · ${item.places.join(', ')}`),
      ),
    ),
    !why && item.sign_in !== 'anew' && it.ticked.has(item.id) && signIn(it, item, id),
    failure(`${PLACE}-${item.id}`),
  );
}

function told(item, why, taken) {
  if (taken) return t(taken.not_adopted ? 'import.not_adopted' : 'import.taken', { service: taken.service });
  if (why) return t(`import.${why}`, { service: item.here });
  return item.who ? t('import.for', { who: item.who }) : t('import.anew');
}

// Going on with the other program's sign-in is a choice of its own, and says what it costs there.
function signIn(it, item, id) {
  return h(
    'label',
    { class: 'tick import-tokens', key: 'tokens' },
    h('input', {
      type: 'checkbox',
      id: `${id}-tokens`,
      checked: it.withTokens.has(item.id),
      on: { change: ({ target }) => tick(it.withTokens, item.id, target.checked) },
    }),
    h('span', { class: 'tick-text' }, h('span', null, t('import.tokens')), h('span', { class: 'aside' }, t(`import.tokens.${item.sign_in}`))),
  );
}

function tick(set, id, on) {
  if (on) set.add(id);
  else set.delete(id);
  changed();
}

function buttons(it) {
  const some = it.ticked.size > 0;
  return [
    some || it.done === null
      ? button(t('import.submit'), { look: 'filled', type: 'submit', id: 'import-submit', key: 'submit', place: PLACE, disabled: !some })
      : button(t('done'), { look: 'filled', id: 'import-close', key: 'close', on: () => go('#sessions') }),
    (some || it.done === null) && h('a', { class: 'button plain', key: 'cancel', href: '#sessions' }, t('cancel')),
  ];
}

// One after the other, and each says itself what failed.
function take(event) {
  event.preventDefault();
  const it = state.importing;
  act(PLACE, async () => {
    let done = 0;
    for (const { id } of it.found.items.filter(({ id }) => it.ticked.has(id))) {
      try {
        it.taken.set(id, await call('import_take', { id, withTokens: it.withTokens.has(id) }));
        it.ticked.delete(id);
        done += 1;
      } catch (failed) {
        state.failures.set(`${PLACE}-${id}`, failed);
      }
      changed();
    }
    if (done === 0) return;
    it.done = done;
    say(plural('import.done', done));
    focusSoon('import-told');
  });
}
