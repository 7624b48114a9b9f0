#!/usr/bin/env bash
# Checks on a machine with a GPU what cannot be checked without one, in under ten minutes, and prints a table: pictures of
# the diffusers engine against those of the processor, pictures a minute, and peak memory.
# Usage: scripts/gpu-check.sh --python PYTHON [--morpheus PROGRAM] [--base PATH] [--recipe RECIPE.toml --kohya-dir DIR]
#   --python    a Python with torch, diffusers, transformers and safetensors [default: MORPHEUS_DIFFUSERS_PYTHON]
#   --morpheus  the program [default: target/release/morpheus, or the one in PATH]
#   --base      a base model of real size, to draw with as well
#   --recipe    a training, to measure sd-scripts' steps with the installation in --kohya-dir
# Exits with 0 if everything passed, 1 if something did not, and 2 if something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Mean difference between two pictures, in steps of a color's 256: what the processor's own parity is held to.
readonly MOST_DIFFERENT=1.0
# Seconds for one command; a base model of real size is read from disk first.
readonly PATIENCE=150
# Memory of the native engine on the processor, as a share of what was reckoned.
readonly MOST_OF_ESTIMATE=1.25

python=${MORPHEUS_DIFFUSERS_PYTHON:-} morpheus='' base='' recipe='' kohya_dir=''
while [ $# -gt 0 ]; do
  case "$1" in
    --python | --morpheus | --base | --recipe | --kohya-dir)
      [ $# -ge 2 ] || { printf 'gpu-check: %s needs a value\n' "$1" >&2 && exit 2; }
      ;;&
    --python) python=$2 ;;
    --morpheus) morpheus=$2 ;;
    --base) base=$2 ;;
    --recipe) recipe=$2 ;;
    --kohya-dir) kohya_dir=$2 ;;
    *)
      sed -n '2,10s/^# //p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
  shift 2
done

n_missing=0 n_failed=0
missing() {
  printf 'missing: %s\n' "$*" >&2
  n_missing=$((n_missing + 1))
}
have() { command -v "$1" >/dev/null 2>&1; }

if [ -z "$morpheus" ]; then
  morpheus=target/release/morpheus
  [ -x "$morpheus" ] || morpheus=$(command -v morpheus || true)
fi
if [ -z "$morpheus" ] || ! have "$morpheus"; then
  missing 'morpheus: build it (cargo build --release -p morpheus), or name it with --morpheus'
fi
if ! have nvidia-smi && ! have rocm-smi; then
  missing 'a GPU: there is neither nvidia-smi nor rocm-smi'
elif have nvidia-smi && ! nvidia-smi --query-gpu=name --format=csv,noheader >/dev/null 2>&1; then
  missing 'a GPU: nvidia-smi finds none'
fi
if [ -z "$python" ] || ! have "$python"; then
  missing 'a Python with diffusers: install deploy/worker/requirements.txt, and name it with --python'
elif ! "$python" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  missing "a GPU that the torch of $python can use"
fi
for file in "$base" "$recipe"; do
  [ -z "$file" ] || [ -e "$file" ] || missing "$file"
done
if [ -n "$recipe" ] && [ ! -d "$kohya_dir" ]; then
  missing 'sd-scripts: name its folder with --kohya-dir'
fi
if [ "$n_missing" -gt 0 ]; then
  printf 'gpu-check: nothing was checked\n' >&2
  exit 2
fi

folder=$(mktemp -d)
poll=''
finish() {
  [ -z "$poll" ] || kill "$poll" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

rows=()
# row CHECK MEASURED EXPECTED RESULT
row() {
  rows+=("$(printf '%s\t%s\t%s\t%s' "$@")")
  [ "$4" != FAILED ] || n_failed=$((n_failed + 1))
}
# verdict MEASURED LIMIT: whether it is at most that.
verdict() { "$python" -c 'import sys; print("ok" if float(sys.argv[1]) <= float(sys.argv[2]) else "FAILED")' "$1" "$2"; }
calculate() { "$python" -c "print(f'{$1:.${2:-2}f}')"; }
# A number of a JSON object, by the names on the way to it.
number() { "$python" -c 'import json, sys; value = json.load(open(sys.argv[1])); [value := value[name] for name in sys.argv[2:]]; print(value)' "$@"; }

# Runs a command with its peak memory in kilobytes in the file $folder/peak.
run() {
  timeout "$PATIENCE" "$python" - "$folder/peak" "$@" <<'PYTHON'
import resource, subprocess, sys

code = subprocess.run(sys.argv[2:]).returncode
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
PYTHON
}
# draw ENGINE OUT.png JSON ARGUMENT…
draw() {
  local engine=$1 out=$2 json=$3
  shift 3
  run "$morpheus" generate --engine "$engine" --diffusers-python "$python" --prompt 'portrait of zora, smiling' --seed 7 \
    --out "$out" --json "$@" >"$json" 2>"$folder/errors" || {
    sed 's/^/  /' "$folder/errors" >&2
    return 1
  }
}
difference() {
  "$python" - "$@" <<'PYTHON'
import sys

import numpy
from PIL import Image

a, b = (numpy.asarray(Image.open(path).convert("RGB"), dtype=float) for path in sys.argv[1:])
print(f"{abs(a - b).mean():.3f}")
PYTHON
}

finding=$(timeout "$PATIENCE" "$morpheus" doctor --json --diffusers-python "$python" --data "$folder/data" 2>/dev/null |
  "$python" -c 'import json, sys
found = [f for f in json.load(sys.stdin)["findings"] if f["name"] == "diffusers"]
print(found[0]["health"] + "\t" + found[0]["detail"] if found else "missing\tdoctor does not know it")') || finding=$'missing\tdoctor failed'
case "${finding%%$'\t'*}" in
  ok) row 'diffusers' "${finding#*$'\t'}" 'found' ok ;;
  *) row 'diffusers' "${finding#*$'\t'}" 'found' FAILED ;;
esac

for sampler in euler euler_a ddim dpmpp_2m; do
  if draw native "$folder/native.png" "$folder/native.json" --sampler "$sampler" &&
    draw diffusers "$folder/diffusers.png" "$folder/diffusers.json" --sampler "$sampler"; then
    measured=$(difference "$folder/native.png" "$folder/diffusers.png")
    row "tiny-xl, $sampler, difference" "$measured/255" "<= $MOST_DIFFERENT/255" "$(verdict "$measured" "$MOST_DIFFERENT")"
  else
    row "tiny-xl, $sampler, difference" 'not drawn' "<= $MOST_DIFFERENT/255" FAILED
  fi
done

if draw native "$folder/native.png" "$folder/native.json" --size 512x512 --steps 2; then
  peak=$(($(cat "$folder/peak") * 1024)) said=$(number "$folder/native.json" estimate memory_bytes)
  share=$(calculate "$peak / $said")
  row 'processor, tiny-xl at 512 px, memory' "$(calculate "$peak / 1e9") GB" \
    "<= $MOST_OF_ESTIMATE x $(calculate "$said / 1e9") GB" "$(verdict "$share" "$MOST_OF_ESTIMATE")"
else
  row 'processor, tiny-xl at 512 px, memory' 'not drawn' 'as reckoned' FAILED
fi

# Memory of the first GPU in MiB, as long as it runs; the largest number is kept.
watch_gpu() {
  local most=0 used
  while true; do
    used=$(nvidia-smi --id=0 --query-gpu=memory.used --format=csv,noheader,nounits 2>/dev/null || echo 0)
    if [ "$used" -gt "$most" ]; then
      most=$used
      echo "$most" >"$folder/gpu.new"
      mv "$folder/gpu.new" "$folder/gpu"
    fi
    sleep 0.2
  done
}
begin_watching() {
  echo 0 >"$folder/gpu"
  if have nvidia-smi; then
    watch_gpu &
    poll=$!
  fi
}
end_watching() {
  if [ -n "$poll" ]; then
    kill "$poll" 2>/dev/null || true
    wait "$poll" 2>/dev/null || true
    poll=''
  fi
}
# Pictures a minute at 25 steps. Two pictures of different length tell a step's time without that of loading.
speed() {
  local name=$1 few=5 many=25
  shift
  begin_watching
  if draw diffusers "$folder/few.png" "$folder/few.json" --steps "$few" "$@" &&
    draw diffusers "$folder/many.png" "$folder/many.json" --steps "$many" "$@"; then
    local step
    step=$(calculate "max(1, $(number "$folder/many.json" duration_ms) - $(number "$folder/few.json" duration_ms)) / ($many - $few)")
    row "$name, step" "$step ms" '' measured
    row "$name, pictures a minute" "$(calculate "60000 / ($many * $step)" 1)" "$many steps each" measured
    row "$name, memory of the GPU" "$(cat "$folder/gpu") MiB" '' measured
  else
    row "$name, pictures a minute" 'not drawn' '' FAILED
  fi
  end_watching
}
speed 'tiny-xl'
if [ -n "$base" ]; then
  speed "$(basename "$base")" --base "$base"
fi

if [ -n "$recipe" ]; then
  begin_watching
  # It is ended when it has run long enough to know.
  timeout --signal=INT "$PATIENCE" "$morpheus" train "$recipe" --engine kohya --kohya-dir "$kohya_dir" \
    --kohya-python "$python" --output "$folder/train" --json >"$folder/train.jsonl" 2>"$folder/errors" || true
  end_watching
  step=$("$python" - "$folder/train.jsonl" <<'PYTHON'
import json, statistics, sys

steps = []
for line in open(sys.argv[1]):
    try:
        event = json.loads(line)
    except ValueError:
        continue
    if event.get("type") == "step":
        steps.append(event["step_ms"])
# The first ones warm up.
print(f"{statistics.median(steps[3:]):.0f}" if len(steps) > 4 else "")
PYTHON
  )
  if [ -n "$step" ]; then
    row 'sd-scripts, step' "$step ms" '' measured
    row 'sd-scripts, memory of the GPU' "$(cat "$folder/gpu") MiB" '' measured
  else
    sed 's/^/  /' "$folder/errors" | tail -n 20 >&2
    row 'sd-scripts, step' 'no five steps' '' FAILED
  fi
fi

{
  printf 'check\tmeasured\texpected\tresult\n'
  printf '%s\n' "${rows[@]}"
} | "$python" -c 'import sys
rows = [line.rstrip("\n").split("\t") for line in sys.stdin]
widths = [max(len(row[i]) for row in rows) for i in range(4)]
for row in rows:
    print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())'
if [ "$n_failed" -gt 0 ]; then
  printf 'gpu-check: %s of %s checks failed\n' "$n_failed" "${#rows[@]}" >&2
  exit 1
fi
