#!/usr/bin/env bash
# clang-format on every source, then clang-tidy on every source the dev preset compiles (or on the files named).
# Needs a configured dev build: `cmake --preset dev`.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.h' '*.cpp')
clang-format-14 --dry-run --Werror "${sources[@]}"
echo "clang-format: ${#sources[@]} files clean"

if [ "$#" -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cpp')
fi
# g++ writes the compile commands; its precompiled headers mean nothing to clang.
database=$(mktemp -d)
trap 'rm -rf "$database"' EXIT
sed -E 's/ -Winvalid-pch//; s/ -include [^ ]*cmake_pch.hxx//' build/dev/compile_commands.json >"$database/compile_commands.json"
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy-14 -p "$database" --quiet
echo "clang-tidy: ${#files[@]} files clean"
