// How the window looks: as the desktop does, or as the person chose.

const SYSTEM = '(prefers-color-scheme: dark)';

/** Puts `theme` (system, light, dark) in force. */
export function wear(theme) {
  const sheet = document.getElementById('dark');
  const media = { light: 'not all', dark: 'all' }[theme] ?? SYSTEM;
  if (sheet.media !== media) sheet.media = media;
  // The boxes and bars that the system draws.
  document.documentElement.style.colorScheme = { light: 'light', dark: 'dark' }[theme] ?? '';
}
