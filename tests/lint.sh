#!/usr/bin/env bash
# clang-format on every source, then clang-tidy on every source the dev preset compiles (or on the files named).
# Needs a configured dev build: `cmake --preset dev`.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t sources < <(git ls-files --cached --others --exclude-standard '*.h' '*.cpp')
clang-format-14 --dry-run --Werror "${sources[@]}"
echo "clang-format: ${#sources[@]} files clean"

# Clang cannot read libtorch 1.13's headers as C++20 (vector<IValue> of an incomplete IValue): what includes them, at
# any depth, is left to g++'s warnings.
torch=$(grep -lE '#include <(torch|ATen|c10)/' "${sources[@]}" | sort)
while :; do
  pattern=$(grep '\.h$' <<<"$torch" | sed 's/[.]/\\./g' | paste -sd '|')
  wider=$({ echo "$torch"; grep -lE "#include \"($pattern)\"" "${sources[@]}"; } | sort -u)
  [ "$wider" = "$torch" ] && break
  torch=$wider
done

# What only the cross compiler compiles is left to its warnings, too.
compiled=$(sed -nE "s|^ *\"file\": \"$PWD/(.*)\",?$|\1|p" build/dev/compile_commands.json | sort -u)
if [ "$#" -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(printf '%s\n' "${sources[@]}" | grep '\.cpp$' | sort |
    comm -23 - <(echo "$torch") | comm -12 - <(echo "$compiled"))
fi
# g++ writes the compile commands; its precompiled headers and some of its warnings mean nothing to clang.
database=$(mktemp -d)
trap 'rm -rf "$database"' EXIT
sed -E 's/ -Winvalid-pch//; s/ -include [^ ]*cmake_pch.hxx//' build/dev/compile_commands.json >"$database/compile_commands.json"
printf '%s\n' "${files[@]}" |
  xargs -P "${JOBS:-$(nproc)}" -n 1 clang-tidy-14 -p "$database" --quiet --extra-arg=-Wno-unknown-warning-option
echo "clang-tidy: ${#files[@]} files clean, $(grep -c '\.cpp$' <<<"$torch") that include libtorch not read"
