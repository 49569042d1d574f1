/** Small charts as SVG. */
import { formatNumber } from "../texts";

/** The score of a face against the threshold above which it is known. */
export function Score({ score, threshold, status }: { score?: number | null; threshold?: number | null; status: string }) {
  if (score == null) return <span class="score muted">–</span>;
  const at = (value: number) => `${Math.max(0, Math.min(1, value)) * 100}%`;
  return (
    <span class="score" title={threshold == null ? "" : `${formatNumber(score, 2)} / ${formatNumber(threshold, 2)}`}>
      <span class="meter">
        <i class={status} style={{ width: at(score) }} />
        {threshold != null && <b style={{ left: at(threshold) }} />}
      </span>
      <span class="number">{formatNumber(score, 2)}</span>
    </span>
  );
}

interface LineChartProps {
  values: readonly number[];
  label: string;
  /** A value that should not be passed. */
}

export function LineChart({ values, label }: LineChartProps) {
  const width = 240;
  const height = 48;
  const top = Math.max(1e-9, ...values) * 1.1;
  const x = (index: number) => (values.length > 1 ? (index * width) / (values.length - 1) : width);
  const y = (value: number) => height - (value / top) * height;
  const line = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return (
    <svg class="chart" viewBox={`0 -2 ${width} ${height + 4}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {values.length > 1 && <polygon points={`0,${height} ${line} ${width},${height}`} />}
      <polyline points={line} />
    </svg>
  );
}

/** A share from 0 to 1 as a bar. */
export function Bar({ share, tone }: { share: number; tone?: string }) {
  return (
    <span class={`bar ${tone ?? ""}`} aria-hidden="true">
      <i style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
    </span>
  );
}
