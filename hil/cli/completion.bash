# shellcheck shell=bash
# Completion of quintain-hil for bash: commands, options and config files; both come from the program.

_quintain_hil() {
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before='' command='' i
    COMPREPLY=()
    [ "$COMP_CWORD" -gt 0 ] || return
    before=${COMP_WORDS[COMP_CWORD - 1]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }
    done

    case $before in
    --out)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --history)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --bench)
        mapfile -t COMPREPLY < <(compgen -f -X '!*.cfg' -- "$word"; compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --set | --for | --wait | --seed | --tags) return ;; # a value: nothing to offer
    esac

    if [ -z "$command" ] || [ "$before" = help ]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null |
            sed -n 's/^  \([a-z]\{3,\}\) .*/\1/p')" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" "$command" --help 2>/dev/null |
            grep -oE -- '(^|[^[:alnum:]-])--[a-z][a-z-]*' | grep -oE -- '--.*' | sort -u)" -- "$word")
    elif [ "$command" = run ] || [ "$command" = check ]; then
        mapfile -t COMPREPLY < <(compgen -f -X '!*.cfg' -- "$word"; compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
    fi
}

complete -F _quintain_hil quintain-hil
