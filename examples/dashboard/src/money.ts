const euros = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });

/** An amount as text. */
export function money(amount: number): string {
  return euros.format(amount);
}

/** The sum of some amounts. */
export function sumOf(rows: readonly { readonly amount: number }[]): number {
  return rows.reduce((sum, { amount }) => sum + amount, 0);
}
