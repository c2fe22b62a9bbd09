/** Light, dark, or as the system says: remembered in this browser. */
const KEY = "parley-theme";

export const THEMES = { "light dark": "As the system", light: "Light", dark: "Dark" } as const;

export type Theme = keyof typeof THEMES;

/** What was chosen. */
export function readTheme(): Theme {
  const kept = localStorage.getItem(KEY) ?? "";
  return kept in THEMES ? kept as Theme : "light dark";
}

/** Show the page in it. */
export function showTheme(theme: Theme): void {
  document.documentElement.style.colorScheme = theme;
}

/** Choose one, for this browser. */
export function keepTheme(theme: Theme): void {
  if (theme === "light dark") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
  showTheme(theme);
}
