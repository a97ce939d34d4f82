# Compares a rig's result.csv (second file) with the bench's truth log (first file). For each board
# the k-th command of the log belongs to the k-th step of the results that sent one.

function member(line, name,   at) { # a number, or a text without quotes
    at = index(line, "\"" name "\": ")
    if (!at) return ""
    line = substr(line, at + length(name) + 4)
    if (substr(line, 1, 1) == "\"") return substr(line, 2, index(substr(line, 2), "\"") - 1)
    match(line, /^-?[0-9]+/)
    return substr(line, 1, RLENGTH)
}

# Only the first of a kind after a command is its own.
function note(board, hop, t) {
    if (n[board] && !((board, n[board], hop) in truth)) truth[board, n[board], hop] = t - start[board, n[board]]
}

FNR == NR {
    board = member($0, "board"); what = member($0, "what"); t = member($0, "t_ns") + 0
    if (what == "command") {
        n[board]++
        start[board, n[board]] = t
        type[board, n[board]] = member($0, "type")
    } else if (what == "answer" && index($0, "\"whole\": true")) {
        note(board, "answer", t)
    } else if (what == "frame") {
        note(board, "servo", member($0, "fall_ns") + 0)
    } else if (what == "edge" && member($0, "level") == 1) {
        if (!n[board] || (board, n[board], "switch") in truth) next
        note(board, "switch", t)
        truth[board, n[board], "travel"] = truth[board, n[board], "switch"] - truth[board, n[board], "servo"]
    } else if (what == "console" && member($0, "text") ~ /: (standing|down)$/) {
        note(board, "console", t)
    }
    next
}

FNR == 1 { FS = ","; next }
{
    split($0, column, ",")
    if (column[2] !~ /^board[1-8]$/ || column[12] == "") next
    board = substr(column[2], 6)
    if (column[8] != begin[board]) { # another step
        begin[board] = column[8]
        k[board]++
        commands++
    }
    split(column[12], part, ".")
    if (!((board, k[board], part[2]) in truth)) next
    if (part[1] != type[board, k[board]]) {
        print column[2] ": step " k[board] " is " part[1] ", the log has " type[board, k[board]]
        bad++
    }
    error = column[14] - truth[board, k[board], part[2]]
    if (error < 0) error = -error
    hops[part[2]]++
    if (error > column[15]) {
        print column[2] ", command " k[board] ", " column[12] ": " column[14] " ns, truly " \
            truth[board, k[board], part[2]] ", off by " error ", U " column[15]
        bad++
    }
}

END {
    for (hop in hops) { total += hops[hop]; said = said " " hop " " hops[hop] }
    print commands " commands, " total " hops (" substr(said, 2) "), " bad + 0 " beyond their uncertainty"
    if (commands < 1000) print "too few commands"
    if (hops["answer"] < 1000 || hops["servo"] < 600 || hops["switch"] < 600 || hops["console"] < 600) {
        print "hops are missing"
        bad++
    }
    exit bad > 0 || commands < 1000
}
