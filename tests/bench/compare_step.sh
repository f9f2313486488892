#!/usr/bin/env bash
# Pairs bench_step with the same step in Python PyTorch (Debian's python3-torch, the same libtorch): the two programs in
# turn, ratio by ratio. `tests/bench/compare_step.sh [rounds] [threads]`; needs `cmake --build --preset dev --target bench_step`.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
threads=${2:-2}
bench=build/dev/bin/bench_step
python=/usr/bin/python3
"$python" -c 'import torch' 2>/dev/null || { echo "python3-torch is not installed" >&2; exit 1; }

for ((round = 0; round < rounds; ++round)); do
  ours=$("$bench" --threads "$threads" | tail -n 1)
  usual=$("$python" tests/bench/step_pytorch.py 20 "$threads" 0)
  channels_last=$("$python" tests/bench/step_pytorch.py 20 "$threads" 1)
  "$python" - "$ours" "$usual" "$channels_last" <<'PY'
import json, sys
ours, usual, last = json.loads(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
print(f"bitloom fp32 {ours['fp32']*1e3:.1f} ms, dgms x{ours['soft_ratio']:.3f} soft, x{ours['hard_ratio']:.3f} hard | pytorch {usual*1e3:.1f} ms, "
      f"channels-last {last*1e3:.1f} ms | bitloom / pytorch {ours['fp32']/usual:.3f}, / channels-last {ours['fp32']/last:.3f}")
PY
done
