#!/usr/bin/env bash
# Installs what is missing, builds the check preset and runs every test; arguments go to ctest (`tests/run.sh -R quant`).
# Window tests run offscreen; the whole-program test brings its own virtual display.
set -euo pipefail
cd "$(dirname "$0")/.."
.ci/install tests
cmake --preset check
cmake --build --preset check
exec ctest --preset check --parallel "$(nproc)" "$@"
