/** A number of bytes for people: `640 B`, `1.50 KiB`, `14.2 MiB`. */
export function showBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"] as const;
  const unit = Math.min(3, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const x = bytes / 2 ** (10 * unit);
  const digits = unit === 0 || x >= 100 ? 0 : x >= 10 ? 1 : 2;
  return `${x.toFixed(digits)} ${units[unit]}`;
}
