#!/usr/bin/env bash
# Installs what is missing, builds the dev preset and runs every test; arguments go to ctest (`tests/run.sh -R quant`).
# Window tests run offscreen; the whole-program test brings its own virtual display.
set -euo pipefail
cd "$(dirname "$0")/.."
.ci/install tests
cmake --preset dev
cmake --build --preset dev
exec ctest --preset dev --parallel "$(nproc)" "$@"
