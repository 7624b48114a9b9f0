// Downloads a dataset as other trainers read it.
import { Menu } from "@base-ui/react/menu";
import { ChevronDown } from "lucide-react";
import { type ExportFormat, exportHref } from "~/api/datasets";
import type { Item } from "~/api/types";
import { buttonClass } from "~/components/ui/button";
import { formatPlural } from "~/lib/format";

const FORMATS: { format: ExportFormat; label: string; detail: string }[] = [
  {
    format: "kohya",
    label: "kohya (sd-scripts)",
    detail: "Folders like 10_zora, captions as .txt, loss masks in conditioning_data",
  },
  {
    format: "diffusers",
    label: "diffusers",
    detail: "Folders with a metadata.jsonl, for load_dataset and training scripts",
  },
  {
    format: "onetrainer",
    label: "OneTrainer",
    detail: "Folders with captions as .txt, loss masks as -masklabel.png",
  },
];

export function ExportMenu({ dataset, items }: { dataset: string; items: Pick<Item, "damage">[] }) {
  const n_lost = items.filter((item) => item.damage).length;
  return (
    <Menu.Root>
      <Menu.Trigger className={buttonClass({})}>
        Export
        <ChevronDown aria-hidden />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={4} align="end" className="z-50 outline-none">
          <Menu.Popup className="max-w-[min(22rem,calc(100vw-2rem))] rounded-md border border-line-strong bg-raised p-1 outline-none transition-opacity duration-100 data-ending-style:opacity-0">
            {n_lost > 0 ? (
              <p className="px-2 py-1.5 text-bad text-xs">
                {formatPlural(n_lost, "picture")} lost or damaged: upload the files again, or delete them,
                then export.
              </p>
            ) : (
              FORMATS.map(({ format, label, detail }) => (
                <Menu.LinkItem
                  key={format}
                  href={exportHref(dataset, format)}
                  download
                  label={label}
                  closeOnClick
                  className="block cursor-default select-none rounded-sm px-2 py-1.5 outline-none data-highlighted:bg-hover"
                >
                  {label}
                  <span className="block text-muted text-xs">{detail}</span>
                </Menu.LinkItem>
              ))
            )}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
