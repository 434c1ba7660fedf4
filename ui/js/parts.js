// The pieces that every view is made of.

import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { act, ask, changed, copy, state, toggle, unask } from './store.js';
import { has, t } from './words.js';

const PART = 16; // letters of a long word that stay together

/** A button. `look`: '' (quiet), 'filled', 'plain' (no frame), 'grave'. */
export function button(words, { look = '', icon, id, place, on, ...rest }) {
  const busy = place !== undefined && state.busy.has(place);
  return h(
    'button',
    {
      type: 'button',
      class: `button ${look}`,
      id,
      'aria-disabled': busy || null,
      on: { click: busy ? ignore : on },
      ...rest,
    },
    icon && glyph(icon),
    h('span', null, words),
  );
}

/** Copies `text`, and says so in its own place. `what` tells a screen reader what is copied. */
export function copyButton(place, text, what, brief) {
  const done = state.copied === place;
  return h(
    'button',
    {
      type: 'button',
      id: `copy-${place}`,
      class: `button plain small${brief ? ' bare' : ''}`,
      'aria-label': `${done ? t('copied') : t('copy')}: ${what}`,
      title: brief ? t('copy') : null,
      on: { click: () => copy(place, text) },
    },
    glyph(done ? 'done' : 'copy', done ? 'good' : ''),
    brief ? null : h('span', null, done ? t('copied') : t('copy')),
  );
}

/** An address or a key in a box of its own, with its copy button. */
export function copyable(place, text, what) {
  return [
    h(
      'div',
      { class: 'copyable', key: `copyable-${place}` },
      h('code', { class: 'copyable-text', dir: 'ltr' }, breakable(text)),
      copyButton(place, text, what),
    ),
    failure(`${place}`),
  ];
}

// A key that is a little wider than its box would leave one letter alone on the next line: long words
// break only between parts that are about as long as each other.
function breakable(text) {
  return text.split(/(\s+)/).map((word) => {
    const parts = Math.ceil(word.length / PART);
    if (parts < 2) return word;
    const size = Math.ceil(word.length / parts);
    return Array.from({ length: parts }, (_, i) => [
      i > 0 && h('wbr'),
      h('span', { class: 'unbroken' }, word.slice(i * size, (i + 1) * size)),
    ]);
  });
}

/**
 * What failed at `place`: the sentence, at which step and what came back there, and one click away the
 * technical reason. `values` fill in the window's own sentence, where it has one for this failure.
 */
export function failure(place, values) {
  const failed = state.failures.get(place);
  if (!failed) return null;
  const fold = `why-${place}`;
  const open = state.shown.has(fold);
  const reason = [failed.kind, failed.code].filter(Boolean).join(' · ');
  const words = sentence(failed, values);
  return h(
    'div',
    { class: 'failure', role: 'alert', key: `failure-${place}` },
    glyph('failing', 'bad'),
    h(
      'div',
      { class: 'failure-text' },
      h('p', { dir: 'auto' }, words || t('failure.unexpected')),
      (failed.step || failed.came) && h('dl', { class: 'failure-facts' }, atStep(failed)),
      open &&
        h(
          'p',
          { class: 'failure-reason', id: fold },
          h('code', null, reason),
          words !== failed.message && failed.message && h('span', { class: 'failure-words', lang: 'en', dir: 'ltr' }, failed.message),
          copyButton(fold, `${reason}: ${failed.message ?? failed.said}`, t('failure.details'), true),
        ),
    ),
    button(t('failure.details'), {
      look: 'plain small',
      'aria-expanded': open,
      'aria-controls': open ? fold : null,
      on: () => toggle(state.shown, fold),
    }),
    h(
      'button',
      {
        type: 'button',
        class: 'button plain small bare',
        'aria-label': t('dismiss'),
        on: { click: () => forget(place) },
      },
      glyph('close'),
    ),
  );
}

// The program's sentences name commands, and here are none to type: the window's own goes first (`said`, or one
// with `values`). English has the rest from the program, other languages have one for each code.
function sentence({ code, message, said }, values) {
  const own = `failed.${code}`;
  const usual = `failure.${code}`;
  if (said) return said;
  if (values && has(own)) return t(own, values);
  return has(usual) ? t(usual) : message;
}

function atStep({ step, came }) {
  const line = (words, value) => h('div', { key: words }, h('dt', null, t(words)), h('dd', { dir: 'auto' }, value));
  return [step && line('step', t(`step.${step}`)), came && line('step.came', h('code', null, came))];
}

function forget(place) {
  state.failures.delete(place);
  state.shown.delete(`why-${place}`);
  changed();
}

/** A button that asks before it acts: the question takes its place. */
export function careful(place, words, { question, yes, work, look = 'plain', icon }) {
  if (state.asking !== place) {
    return button(words, { look, icon, id: `for-${place}`, place, key: `for-${place}`, on: () => ask(place) });
  }
  return h(
    'div',
    {
      class: 'question',
      role: 'group',
      key: `question-${place}`,
      'aria-label': t('question'),
      on: {
        keydown: (event) => {
          if (event.key === 'Escape') {
            event.stopPropagation();
            event.preventDefault();
            unask();
          }
        },
      },
    },
    h('p', { id: `text-${place}` }, question),
    h(
      'div',
      { class: 'actions' },
      button(yes, {
        look: 'grave',
        id: `ask-${place}`,
        place,
        'aria-describedby': `text-${place}`,
        on: () => {
          state.asking = null;
          act(place, work);
        },
      }),
      button(t('cancel'), { look: 'plain', on: unask }),
    ),
  );
}

/** A field with its label, and a hint below it. */
export function field(id, words, { hint, area, fold, ...rest }) {
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, words),
    h('input', {
      id,
      name: id,
      type: 'text',
      autocomplete: 'off',
      autocapitalize: 'none',
      spellcheck: 'false',
      'aria-describedby': hint ? `${id}-hint` : null,
      ...rest,
    }),
    hint && h('p', { class: 'hint', id: `${id}-hint` }, hint),
  );
}

/** A fold that a person opens by hand, as "more" of a form. It stays in the document: its fields count. */
export function fold(place, words, ...children) {
  const open = state.shown.has(place);
  return h(
    'div',
    { class: 'fold', key: `fold-${place}` },
    h(
      'button',
      {
        type: 'button',
        id: `fold-${place}`,
        class: 'fold-head',
        'aria-expanded': open,
        'aria-controls': `in-${place}`,
        on: { click: () => toggle(state.shown, place) },
      },
      glyph('open', 'turn'),
      words,
    ),
    h('div', { class: 'fold-body', id: `in-${place}`, hidden: !open }, children),
  );
}

/** A tile with the first letter of a provider: the same provider always has the same calm colour. */
export function mark(provider, badge) {
  const letter = /[\p{L}\p{N}]/u.exec(provider)?.[0].toLocaleUpperCase() ?? '·';
  let sum = 7;
  for (const char of provider) sum = (sum * 31 + char.codePointAt(0)) % 9973;
  return h(
    'span',
    { class: `mark tint-${sum % 8}`, 'aria-hidden': 'true' },
    letter,
    badge && h('span', { class: 'mark-badge' }, glyph(badge)),
  );
}

/** A name in a small frame. */
export function chip(text, icon) {
  return h('span', { class: 'chip' }, icon && glyph(icon), name(text));
}

/** A line of a row's inside: what it is, and what it says. */
export function fact(words, ...value) {
  return h('div', { class: 'fact', key: words }, h('dt', null, words), h('dd', null, value));
}

function ignore() {}
