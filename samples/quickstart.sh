#!/usr/bin/env bash
# Installs what is missing, builds the release preset and starts 4-bit DGMS on the sample network: in the window where
# there is a display, headless otherwise (pictures of every view and the summary table are left in a folder).
set -euo pipefail
cd "$(dirname "$0")/.."
.ci/install
cmake --preset release
cmake --build --preset release

bitloom=build/release/bin/bitloom
job=samples/jobs/quickstart.toml
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  exec "$bitloom" window --job "$job" --start "$@"
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/bitloom-quickstart-XXXXXX")
"$bitloom" window --job "$job" --start --out "$folder/run.h5" --capture "$folder" "$@"
"$bitloom" report "$folder/run.h5"
echo "No display: the run and pictures of every view are in $folder"
