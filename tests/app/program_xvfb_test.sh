#!/usr/bin/env bash
# The whole program on a display, with real clicks and keys: starts a tiny job with the mouse, waits until it is finished,
# scrubs with the keyboard, quits, and reads the run file back on the command line.
# Usage: program_xvfb_test.sh PATH-OF-BITLOOM. Exit 77: skipped, a tool is missing.
set -euo pipefail
bitloom=$1

for tool in Xvfb xdotool xwd cksum; do
  if ! command -v "$tool" >/dev/null; then
    echo "SKIPPED: $tool is not installed"
    exit 77
  fi
done

folder=$(mktemp -d)
server='' program='' quitting='Ctrl+Q ends the program'
finish() {
  [ -z "$program" ] || kill "$program" 2>/dev/null || true
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

fail() {
  echo "FAILED: $1"
  sed 's/^/  program: /' "$folder/errors" 2>/dev/null || true
  exit 1
}

# until_true SECONDS WHAT COMMAND...: polls until the command succeeds.
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "not within the time limit: $what"
    if [ -s "$folder/code" ] && [ "$what" != "$quitting" ]; then fail "the program ended before: $what"; fi
    sleep 0.1
  done
}

Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp 3>"$folder/display" 2>/dev/null &
server=$!
until_true 20 'Xvfb gives a display' test -s "$folder/display"
DISPLAY=:$(cat "$folder/display")
export DISPLAY
unset WAYLAND_DISPLAY QT_QPA_PLATFORM
export XDG_CONFIG_HOME="$folder/config" XDG_RUNTIME_DIR="$folder"
chmod 700 "$folder"

cd "$folder"
cat >tiny.toml <<'JOB'
[model]
arch = "resnet20"
[data]
source = "generated:1,64,32"
batch = 8
[quantizer]
bits = 2
[train]
steps = 6
threads = 1
evaluate_every = 0
batch_norm_batches = 1
[record]
every = 1
JOB

# A shell of its own leaves the exit code in a file, which can be polled.
(
  code=0
  "$bitloom" window --job tiny.toml --print-geometry >geometry 2>errors &
  echo $! >pid
  wait $! || code=$?
  echo "$code" >code
) &
until_true 20 'the program starts' test -s pid
program=$(cat pid)

until_true 60 'the window says where its Start button is' grep -q '"name":"start"' geometry
window=$(xdotool search --sync --onlyvisible --pid "$program" --name 'Bitloom' | head -n 1)
title_has() { xdotool getwindowname "$window" | grep -q -- "$1"; }
picture() { xwd -silent -id "$window" | cksum; }
changed_from() { [ "$(picture)" != "$1" ]; }

# The middle of a control, from its line of JSON.
field() { grep "\"name\":\"$1\"" geometry | head -n 1 | sed -n "s/.*\"$2\":\([-0-9]*\).*/\1/p"; }
click() {
  local x=$(($(field "$1" x) + $(field "$1" width) / 2)) y=$(($(field "$1" y) + $(field "$1" height) / 2))
  xdotool mousemove --sync "$x" "$y" click 1
}

xdotool windowfocus --sync "$window"
click start
until_true 60 'the run file appears' test -s runs/tiny.h5
until_true 120 'the title says that the run is finished' title_has finished

before=$(picture)
xdotool key Home
until_true 20 'Home shows another step' changed_from "$before"
before=$(picture)
xdotool key End
until_true 20 'End shows another step' changed_from "$before"
xdotool key ctrl+Home
before=$(picture)
xdotool key space
until_true 20 'Space plays' changed_from "$before"

xdotool key ctrl+q
until_true 30 "$quitting" test -s code
program=''
[ "$(cat code)" -eq 0 ] || fail "exit code $(cat code)"
if [ -s errors ]; then fail 'the program wrote to its error output'; fi

"$bitloom" report runs/tiny.h5 >report.txt || fail 'bitloom report does not read the run'
"$bitloom" report runs/tiny.h5 --json >report.json || fail 'bitloom report --json fails'
grep -q '"top1_hard"' report.json || fail 'the report has no hard top-1'
echo 'passed'
