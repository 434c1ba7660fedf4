// Times as a person says them. All of them are Unix seconds on this machine's clock.

import { locale } from './words.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const formats = new Map();

/** This moment. */
export function nowSeconds() {
  return Math.floor(Date.now() / 1000);
}

/** `2 min ago`; less than a minute is `now`, so that nothing flickers by the second. */
export function ago(at, now) {
  const age = Math.max(0, now - at);
  const relative = format('ago', () => new Intl.RelativeTimeFormat(locale(), { style: 'short', numeric: 'auto' }));
  if (age < MINUTE) return relative.format(0, 'second');
  if (age < HOUR) return tidy(relative.format(-Math.floor(age / MINUTE), 'minute'));
  if (age < DAY) return tidy(relative.format(-Math.floor(age / HOUR), 'hour'));
  if (age < 30 * DAY) return tidy(relative.format(-Math.floor(age / DAY), 'day'));
  return date(at);
}

/** `42 min`. */
export function span(seconds) {
  if (seconds < MINUTE) return unit('second', seconds);
  if (seconds < HOUR) return unit('minute', seconds / MINUTE);
  if (seconds < DAY) return unit('hour', seconds / HOUR);
  return unit('day', seconds / DAY);
}

/** `380 ms`, `2.1 sec`. */
export function took(milliseconds) {
  return milliseconds < 1000 ? unit('millisecond', milliseconds) : unit('second', milliseconds / 1000, 1);
}

/** `14:05`, as the program's own sentences have it. */
export function clock(at) {
  const short = format(
    'clock',
    () => new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
  );
  return short.format(at * 1000);
}

/** `Today`, `Yesterday`, `Friday, 14 November`. */
export function day(at, now) {
  const days = Math.round((midnight(at) - midnight(now)) / DAY);
  if (days === 0 || days === -1) {
    const words = format('day', () => new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' })).format(days, 'day');
    return words.charAt(0).toLocaleUpperCase(locale()) + words.slice(1);
  }
  const long = format(
    'date',
    () => new Intl.DateTimeFormat(locale(), { weekday: 'long', day: 'numeric', month: 'long' }),
  );
  return long.format(at * 1000);
}

/** `14:05` if it was today, else `19 Nov, 14:05`. */
export function recent(at, now) {
  if (midnight(at) === midnight(now)) return clock(at);
  return format(
    'recent',
    () =>
      new Intl.DateTimeFormat(locale(), {
        day: 'numeric',
        month: 'short',
        hour: '2-digit',
        minute: '2-digit',
        hourCycle: 'h23',
      }),
  ).format(at * 1000);
}

/** The whole of it, for a tooltip. */
export function moment(at) {
  return format(
    'moment',
    () => new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' }),
  ).format(at * 1000);
}

/** `3 Nov 2026`. */
export function date(at) {
  return format('short', () => new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' })).format(at * 1000);
}

function unit(name, value, digits = 0) {
  const number = format(
    `${name}${digits}`,
    () =>
      new Intl.NumberFormat(locale(), {
        style: 'unit',
        unit: name,
        unitDisplay: 'short',
        maximumFractionDigits: digits,
        roundingMode: 'floor',
      }),
  );
  return number.format(digits ? value : Math.floor(value));
}

function midnight(at) {
  return new Date(at * 1000).setHours(0, 0, 0, 0) / 1000;
}

// English short forms come with a point, `2 min. ago`, which is noise in a list.
function tidy(text) {
  return text.replace(/\.(?=\s)/g, '');
}

function format(name, make) {
  const key = `${locale()} ${name}`;
  if (!formats.has(key)) formats.set(key, make());
  return formats.get(key);
}
