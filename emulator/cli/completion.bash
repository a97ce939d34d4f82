# shellcheck shell=bash
# Completion of quintain-emu for bash: commands, options, config files, and the paths of --set,
# which the program itself is asked for. Needs nothing but bash: works when sourced, too.

# The paths of all settings, in the form in which --set takes them.
_quintain_emu_settings() {
    "$1" settings 2>/dev/null | awk -F'`' '
        /^### / { prefix = NF > 1 ? $2 "." : ""; gsub(/\[\]/, "[0]", prefix) }
        # | `name` | type | ...: a group is no setting that takes a value
        /^\| `/ && $3 !~ /^ \| (group|list of groups) / { print prefix $2 "=" }'
}

# "a,b" for every two wires: what the setting `wire` may be says the program.
_quintain_emu_wires() {
    "$1" settings 2>/dev/null | awk -F'|' '
        $2 ~ /`wire`/ { n = split($0, word, "\""); for (i = 2; i <= n; i += 2) if (!seen[word[i]]++) wire[++wires] = word[i]
            for (a = 1; a <= wires; a++) for (b = 1; b <= wires; b++) if (a != b) print wire[a] "," wire[b]
            exit }'
}

_quintain_emu() {
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before command='' i
    COMPREPLY=()
    [ "$COMP_CWORD" -gt 0 ] || return
    before=${COMP_WORDS[COMP_CWORD - 1]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }
    done

    case $before in
    --set)
        mapfile -t COMPREPLY < <(compgen -W "$(_quintain_emu_settings "$program")" -- "$word")
        compopt -o nospace 2>/dev/null
        return
        ;;
    --out)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --log | --record | --pcap)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --on)
        mapfile -t COMPREPLY < <(compgen -W 'client server both' -- "$word")
        return
        ;;
    --wire)
        mapfile -t COMPREPLY < <(compgen -W 'auto snyper http framed agent jsonrpc' -- "$word")
        return
        ;;
    --wires)
        mapfile -t COMPREPLY < <(compgen -W "$(_quintain_emu_wires "$program")" -- "$word")
        return
        ;;
    # a time, a range, an address, a value: nothing to offer
    --for | --seeds | --passes | --seed | --listen | --to | --fault | =) return ;;
    esac

    local options='-h --help -V --version'
    case $command in
    run) options+=' --set --for --simulate --seeds --out --no-events --log --json --quiet' ;;
    check) options+=' --set' ;;
    console) options='-h --help --demo --performance --messages --in-flight --bytes' ;;
    sniff) options='-h --help --listen --to --record --pcap --fault --on --seed --own-source --for
            --connections --quiet' ;;
    decode) options='-h --help --wire --record --pcap --connections --quiet' ;;
    compare) options+=' --set --wires --passes --out --json --quiet' ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [ -z "$command" ]; then
        mapfile -t COMPREPLY < <(compgen -W 'run check compare settings console sniff decode' -- "$word")
    elif [ "$command" = console ]; then
        mapfile -t COMPREPLY < <(compgen -W 'framed://' -- "$word")
        compopt -o nospace 2>/dev/null
    elif [ "$command" = sniff ]; then
        mapfile -t COMPREPLY < <(compgen -W 'auto snyper http framed agent jsonrpc' -- "$word")
    elif [ "$command" = decode ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    elif [ "$command" != settings ]; then
        mapfile -t COMPREPLY < <(compgen -f -X '!*.cfg' -- "$word"; compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
    fi
}

complete -F _quintain_emu quintain-emu
