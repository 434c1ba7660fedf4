// The last view: how Signbell itself behaves. Each setting is saved as soon as it is changed, and says so
// in its own place.

import { call } from './bridge.js';
import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { copyable, failure } from './parts.js';
import { banners } from './sessions.js';
import { act, changed, say, state } from './store.js';
import { has, t } from './words.js';

const SECTIONS = ['desktop', 'bell', 'proxy', 'network', 'vault'];
const NONE = 'none'; // the line of a list that stands for no value
const SAVED_MS = 2400; // as long as the eye needs to come back

let known = null; // what the program last told
let elsewhere = []; // the clients that look for Signbell at another port
let lookedAt = null; // the address for which they were looked for
let asked = null; // the snapshot after which it was asked
const typed = new Map(); // key -> what was typed and could not be saved
const saved = new Map(); // key -> the timer of its "Saved"

/** Draws it. */
export function settings(view) {
  // Somebody else may have changed one: an editor, a command.
  if (asked !== view) {
    asked = view;
    act('settings', load);
    // Those that were found may have been mended since.
    if (lookedAt !== view.proxy.address || elsewhere.length > 0) {
      lookedAt = view.proxy.address;
      act('settings-clients', leftBehind);
    }
  }
  return [
    banners(view),
    h('div', { class: 'title', key: 'title' }, h('div', { class: 'title-text' }, h('h1', null, t('settings.title')), h('p', { class: 'aside' }, t('settings.about')))),
    failure('settings'),
    known && SECTIONS.map((section) => group(section, known.filter((one) => one.key.startsWith(`${section}.`)))),
  ];
}

async function load() {
  const told = await call('settings');
  if (JSON.stringify(told) !== JSON.stringify(known)) known = told;
}

// Whose files lead to where Signbell was before.
async function leftBehind() {
  elsewhere = (await call('connect_clients')).filter((client) => client.elsewhere.length > 0);
}

function group(section, ones) {
  return h(
    'section',
    { class: 'settings', key: section, 'aria-labelledby': `settings-${section}` },
    h('h2', { id: `settings-${section}` }, t(`settings.${section}`)),
    h('div', { class: 'rows' }, ones.map(row)),
  );
}

function row(one) {
  const id = idOf(one);
  const words = { class: 'setting-text' };
  return h(
    'div',
    { class: 'row setting', key: one.key },
    h(
      'div',
      { class: 'setting-head' },
      h(
        'div',
        words,
        one.key === 'vault.kind'
          ? h('p', { class: 'setting-name' }, title(one))
          : h('label', { class: 'setting-name', for: id }, title(one)),
        h('p', { class: 'hint', id: `${id}-about` }, code(about(one))),
        one.overridden_by && h('p', { class: 'hint', key: 'over' }, t('settings.overridden', { name: one.overridden_by })),
      ),
      h('div', { class: 'setting-value' }, control(one, id), told(one.key)),
    ),
    one.key === 'vault.kind' && h('div', { class: 'setting-more', key: 'more' }, copyable(place(one), other(one), t('settings.command'))),
    one.key === 'proxy.port' && elsewhere.length > 0 && h('div', { class: 'setting-more', id: 'port-elsewhere', key: 'more' }, again()),
    one.key !== 'vault.kind' && failure(place(one)),
  );
}

// In the person's language; a setting of a newer program in its own words.
function title(one) {
  const key = `setting.${one.key}`;
  return has(key) ? t(key) : one.title;
}

function about(one) {
  const key = `setting.${one.key}.about`;
  return has(key) ? t(key) : one.about;
}

// A command within a sentence.
function code(text) {
  return text.split('`').map((piece, i) => (i % 2 ? h('code', null, piece) : piece));
}

function control(one, id) {
  const named = { id, 'aria-describedby': `${id}-about` };
  if (one.key === 'vault.kind') return h('p', { id }, choice(one, one.value));
  switch (one.kind) {
    case 'switch':
      return h('input', {
        ...named,
        type: 'checkbox',
        role: 'switch',
        class: 'switch',
        checked: one.value,
        on: {
          change: (event) => {
            const want = event.target.checked;
            event.target.checked = one.value; // until it is so
            save(one, want ? 'yes' : 'no');
          },
        },
      });
    case 'choice':
      return h(
        'select',
        {
          ...named,
          value: one.value ?? NONE,
          // A new list has no lines yet when its value is set.
          mount: (node) => (node.value = one.value ?? NONE),
          on: { change: (event) => save(one, event.target.value === NONE ? '' : event.target.value) },
        },
        [...(one.default === null ? [NONE] : []), ...one.choices].map((value) =>
          h('option', { value, key: value }, choice(one, value)),
        ),
      );
    default:
      return [
        h('input', {
          ...named,
          type: 'text',
          class: one.kind === 'number' ? 'narrow' : '',
          inputmode: one.kind === 'number' ? 'numeric' : null,
          dir: 'ltr',
          autocomplete: 'off',
          spellcheck: 'false',
          placeholder: one.default === null ? t('settings.none') : null,
          'aria-invalid': typed.has(one.key) || null,
          value: typed.get(one.key) ?? text(one.value),
          on: {
            change: (event) => save(one, event.target.value, event.target),
            keydown: (event) => {
              if (event.key === 'Escape' && typed.delete(one.key)) {
                state.failures.delete(place(one));
                event.target.value = text(one.value);
                changed();
              }
            },
          },
        }),
        unit(one),
      ];
  }
}

function unit(one) {
  const name = one.kind === 'minutes' ? 'minutes' : one.unit;
  return name && name !== 'none' && h('span', { class: 'setting-unit', key: 'unit' }, t(`settings.unit.${name}`));
}

// "Saved", where the person looks.
function told(key) {
  return h(
    'span',
    { class: 'setting-told', key: 'told' },
    saved.has(key) && [glyph('done', 'good'), h('span', null, t('settings.saved'))],
  );
}

function save(one, value, field) {
  act(place(one), async () => {
    try {
      const now = await call('settings_set', { key: one.key, value });
      known = known.map((old) => (old.key === now.key ? now : old));
      typed.delete(one.key);
      // As the program reads it: `2h` is 120.
      if (field) field.value = text(now.value);
    } catch (failed) {
      typed.set(one.key, value);
      throw failed;
    }
    say(`${title(one)}: ${t('settings.saved')}`);
    clearTimeout(saved.get(one.key));
    saved.set(
      one.key,
      setTimeout(() => {
        saved.delete(one.key);
        changed();
      }, SAVED_MS),
    );
  });
}

function choice(one, value) {
  const key = `settings.choice.${one.key}.${value}`;
  return has(key) ? t(key) : value;
}

// The command that leads those clients to the new port.
function again() {
  const clients = elsewhere.map((client) => client.title).join(', ');
  return [
    h('p', { class: 'hint', key: 'clients' }, t('settings.port.elsewhere', { clients })),
    copyable('port-elsewhere', 'signbell connect --again', t('settings.port.command')),
  ];
}

// The command that moves what is kept to the other place.
function other(one) {
  return `signbell settings set vault.kind ${one.choices.find((kind) => kind !== one.value)}`;
}

function text(value) {
  return Array.isArray(value) ? value.join(', ') : String(value ?? '');
}

function idOf(one) {
  return `set-${one.key.replace('.', '-')}`;
}

function place(one) {
  return idOf(one);
}
