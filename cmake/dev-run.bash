# shellcheck shell=bash
# What ./dev says and how it runs things: messages, timed stages, children that end when it ends.

bold='' red='' green='' plain=''
if [ -n "${NO_COLOR:-}" ]; then
    export CLICOLOR=0
elif [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

say() { printf '%s\n' "$@"; } # a line each
complain() { printf '%s\n' "dev: $*" >&2; }
wrong_usage() { complain "$* (./dev help lists what there is)"; exit 2; }
# make_folder PATH: exists and can be written to when this returns.
make_folder() { mkdir -p "$1" && [ -w "$1" ] || { complain "cannot write to $1"; exit 3; }; }
no_arguments() { [ $# -eq 0 ] || wrong_usage "this command takes no argument, but got \"$1\""; }

# stage NAME COMMAND...: runs a step, says how it went and how long it took; returns its code.
stage() {
    local name=$1 from=${EPOCHREALTIME/./} rc=0 took
    shift
    say "$bold== $name$plain"
    "$@" || rc=$?
    took=$(((${EPOCHREALTIME/./} - from) / 100000))
    took=$((took / 10)).$((took % 10))
    if [ $rc -eq 0 ]; then
        say "$bold== $name$plain  ${green}done in $took s$plain"
    else
        say "$bold== $name$plain  ${red}failed after $took s$plain"
    fi
    return $rc
}

# Whatever runs for long runs in a process group of its own and carries a mark in its environment,
# so that Ctrl-C, SIGTERM or a vanished terminal ends all of it. The group alone would not do: CTest
# gives every test a group of its own, Criterion every test a session.

mark=QUINTAIN_DEV_RUN=$$.$EPOCHREALTIME

# start COMMAND...: in the background; `started` is its process id, and its group's.
start() {
    set -m
    QUINTAIN_DEV_RUN=${mark#*=} "$@" </dev/null &
    started=$!
    set +m
}

# finish PID: waits for it, ends what it left behind in its group; returns its code.
finish() {
    local rc=0
    wait "$1" 2>/dev/null || rc=$?
    kill -KILL -- "-$1" 2>/dev/null
    return $rc
}

run() {
    start "$@"
    finish "$started"
}

# stop PID: SIGTERM to it alone, ten seconds to end well, then SIGKILL to its group; returns its code.
stop() {
    local i
    kill -TERM "$1" 2>/dev/null
    for ((i = 0; i < 100; i++)); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    [ $i -lt 100 ] || kill -KILL -- "-$1" 2>/dev/null
    finish "$1"
}

# The process ids of all that was started here and still lives.
marked() { grep -lzsxF "$mark" /proc/[0-9]*/environ | cut -d/ -f3; }

stop_all() {
    local i pids
    for ((i = 0; i < 50; i++)); do
        mapfile -t pids < <(marked)
        [ ${#pids[@]} -gt 0 ] || return
        # The first signal lets them end well; the later ones are for what a dying parent started.
        ((i % 10)) || kill -TERM "${pids[@]}" 2>/dev/null
        sleep 0.1
    done
    kill -KILL "${pids[@]}" 2>/dev/null
}

interrupted() {
    trap '' INT TERM HUP
    complain "ended by SIG$1"
    exit "$2" # the EXIT trap ends the children
}
trap stop_all EXIT
trap 'interrupted INT 130' INT
trap 'interrupted TERM 143' TERM
trap 'interrupted HUP 129' HUP
