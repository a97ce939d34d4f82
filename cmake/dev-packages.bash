# shellcheck shell=bash
# The Debian packages that ./dev needs: found, or installed.

declare -A packages=(
    [build]="gcc libc6-dev cmake ninja-build pkg-config libconfig-dev libhttp-parser-dev libmpack-dev
        libwslay-dev zlib1g-dev
        libedit-dev libssl-dev libgpiod-dev libserialport-dev libudev-dev libsqlite3-dev"
    [test]="libcriterion-dev openssl python3-msgpack"
    [certs]="openssl"
    [benchvm]="linux-source flex bison bc make patch xz-utils libelf-dev util-linux"
    [bench]="libjansson-dev libcjson-dev"
    [format]="clang-format"
    [lint]="clang-tidy cppcheck shellcheck"
    [fuzz]="clang libclang-rt-dev"
    [debian13]="debootstrap"
)

has_header() { printf '#include <%s>\n' "$1" | cc -E - >/dev/null 2>&1; }
links_fuzzer() {
    printf 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n > 9; }' |
        clang -fsanitize=fuzzer,address -x c -o /dev/null - 2>/dev/null
}

# Is it here although dpkg does not know it (another distribution, a hand-made install)?
present() {
    case $1 in
    gcc) command -v cc ;;
    libc6-dev) has_header stdio.h ;;
    ninja-build) command -v ninja ;;
    libconfig-dev) pkg-config --exists libconfig ;;
    libhttp-parser-dev) has_header http_parser.h ;;
    libwslay-dev) has_header wslay/wslay.h ;;
    zlib1g-dev) pkg-config --exists zlib ;;
    libmpack-dev) has_header mpack.h ;;
    python3-msgpack) /usr/bin/python3 -c 'import msgpack' ;;
    libssl-dev) pkg-config --exists openssl ;;
    libgpiod-dev) pkg-config --exists libgpiod ;;
    libserialport-dev) pkg-config --exists libserialport ;;
    libudev-dev) pkg-config --exists libudev ;;
    libsqlite3-dev) pkg-config --exists sqlite3 ;;
    libedit-dev) pkg-config --exists libedit ;;
    libssl-dev) pkg-config --exists libcrypto ;;
    # The package linux-source only names the newest of them.
    linux-source) compgen -G '/usr/src/linux-source-*.tar.xz' ;;
    libelf-dev) has_header libelf.h ;;
    xz-utils) command -v xz ;;
    util-linux) command -v setpriv && command -v setsid ;;
    libcriterion-dev) pkg-config --exists criterion ;;
    libjansson-dev) pkg-config --exists jansson ;;
    libcjson-dev) pkg-config --exists libcjson ;;
    libclang-rt-dev) links_fuzzer ;;
    *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# need GROUP...: what the groups name is installed when this returns.
need() {
    local group name names known missing=() wanted=()
    for group in "$@"; do
        read -ra names <<<"${packages[$group]//$'\n'/ }"
        wanted+=("${names[@]}")
    done
    # shellcheck disable=SC2016 # dpkg-query expands these
    known=$(dpkg-query -W -f='${Package}=${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null)
    for name in "${wanted[@]}"; do
        [[ $'\n'$known$'\n' == *$'\n'"$name=installed"$'\n'* ]] || present "$name" ||
            missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] || stage packages install_packages "${missing[@]}" || exit 3
}

# In the foreground, not by `run`: sudo asks for a password at the terminal.
install_packages() {
    local install=(apt-get install -y --no-install-recommends "$@") as_root=() log=build/apt.log
    if ! command -v apt-get >/dev/null; then
        complain "missing, by their Debian names: $*"
        complain "this is no Debian system: install them your way, then run this again"
        return 3
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null || { ! sudo -n true 2>/dev/null && [ ! -t 0 ]; }; then
            complain "missing packages; as root, run: ${install[*]}"
            return 3
        fi
        as_root=(sudo)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    say "running: ${as_root[*]} ${install[*]}"
    make_folder build
    "${as_root[@]}" apt-get update -q >$log 2>&1 ||
        complain "apt-get update failed; trying with the package lists that are here"
    if ! "${as_root[@]}" "${install[@]}" -q -o DPkg::Lock::Timeout=120 >>$log 2>&1; then
        tail -n 15 $log >&2
        complain "could not install (all of the output: $log); as root, run: ${install[*]}"
        return 3
    fi
}
