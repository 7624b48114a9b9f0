// What was measured, with its uncertainty and with what.
import type { Judgement, Measure } from "~/api/types";
import { formatDuration, formatName } from "~/lib/format";

export function Measures({ judgement: { measures, seconds } }: { judgement: Judgement }) {
  return (
    <>
      <div className="overflow-x-auto">
        <table className="w-full min-w-80">
          <caption className="sr-only">Measurements</caption>
          <thead className="eyebrow">
            <tr className="text-left [&>th]:pr-3 [&>th]:pb-1 [&>th]:font-medium">
              <th scope="col">Measured</th>
              <th scope="col">Value</th>
              <th scope="col">Base</th>
              <th scope="col">By</th>
            </tr>
          </thead>
          <tbody>
            {measures.map((measure) => (
              <tr key={measure.name} className="align-top [&>*]:py-1 [&>*]:pr-3">
                <th scope="row" className="text-left font-normal">
                  {formatName(measure.name)}
                </th>
                <td className="whitespace-nowrap">
                  {number(measure.value)} <span className="text-muted">{interval(measure)}</span>
                </td>
                <td>{measure.base == null ? "–" : number(measure.base)}</td>
                <td className="text-muted">{measure.by}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="mt-1.5 text-muted text-xs">
        In brackets: the range that 95 % of repeated measurements would fall into. Judging took{" "}
        {formatDuration(seconds)}.
      </p>
    </>
  );
}

/** `(0.41 to 0.58)`; empty for a number without sampling. */
export function interval({ low, high }: Pick<Measure, "low" | "high">): string {
  return low == null || high == null ? "" : `(${number(low)} to ${number(high)})`;
}

function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}
