# shellcheck shell=bash
# Debian 13 in a folder: the tree is built and tested there with its compiler and its libgpiod 2.x.
#
# The folder stands in the cache, named by what it was made from; it is made next to its place and
# renamed, so that one that is there is whole. Nothing of the checkout is written to but
# build/debian13, and all mounts are in a namespace that ends with the commands.

debian13_suite=trixie
debian13_why='' # why it cannot run here

# The mirror that this machine's own apt takes Debian from.
debian13_mirror() {
    # shellcheck disable=SC2016 # apt-get expands these
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
        awk '$1 == "Debian" { print $2; exit }'
}

debian13_packages() {
    local names
    read -ra names <<<"${packages[build]//$'\n'/ } ${packages[test]//$'\n'/ }"
    printf '%s\n' "${names[@]}" | sort -u | paste -sd,
}

# possible MIRROR: can it run on this machine at all?
debian13_possible() {
    if [ "$(id -u)" -ne 0 ]; then
        debian13_why="it needs root, for a chroot"
    elif ! unshare --mount --pid --fork true 2>/dev/null; then
        debian13_why="this machine allows no mount namespace"
    elif [ -z "$1" ]; then
        debian13_why="apt knows of no Debian mirror here"
    elif ! command -v debootstrap >/dev/null; then
        debian13_why="there is no debootstrap here; install it"
    elif [ ! -e "/usr/share/debootstrap/scripts/$debian13_suite" ]; then
        debian13_why="this machine's debootstrap does not know $debian13_suite"
    fi
    [ -z "$debian13_why" ]
}

# bootstrap FOLDER MIRROR
debian13_bootstrap() {
    local http_proxy=${http_proxy:-}
    [ -n "$http_proxy" ] || eval "$(apt-config shell http_proxy Acquire::http::Proxy 2>/dev/null)"
    export http_proxy
    # It mounts in there: in a namespace of its own nothing stays mounted when it is interrupted.
    run unshare --mount --pid --fork --kill-child \
        debootstrap --variant=minbase --include="$(debian13_packages)" "$debian13_suite" "$1" "$2" ||
        return 1
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
    mkdir -p "$1/checkout" "$1/build"
    printf '127.0.0.1 localhost\n' >"$1/etc/hosts"
}

# make_root MIRROR: `debian13_root` is a whole Debian 13 when this returns 0.
debian13_make_root() {
    local home=$cache/debian13 key fresh old rc=0
    make_folder "$home"
    make_folder build/debian13
    key=$({ echo "$debian13_suite $1"; debian13_packages; declare -f debian13_bootstrap; } | sha256sum)
    debian13_root=$home/${key:0:16}
    {
        flock 8
        if [ ! -d "$debian13_root" ]; then
            # What an interrupted run left, or was made from other packages.
            for old in "$home"/*/; do
                [ ! -d "$old" ] || rm -rf --one-file-system "$old"
            done
            fresh=$home/new.$$
            mkdir "$fresh"
            if debian13_bootstrap "$fresh" "$1" >build/debian13/debootstrap.log 2>&1; then
                mv -T "$fresh" "$debian13_root"
            else
                tail -n 5 build/debian13/debootstrap.log >&2
                rm -rf --one-file-system "$fresh"
                rc=1
            fi
        fi
    } 8>"$home/.lock"
    [ $rc -eq 0 ] || debian13_why="debootstrap failed (build/debian13/debootstrap.log)"
    return $rc
}

# Runs as the first process of namespaces of its own: mounts, then enters.
# shellcheck disable=SC2016 # the inner bash expands it
debian13_enter='
    root=$1 checkout=$2 build=$3
    shift 3
    mount --bind "$checkout" "$root/checkout" && mount -o remount,bind,ro "$root/checkout" &&
        mount --bind "$build" "$root/build" &&
        mount -t proc proc "$root/proc" &&
        mount -t sysfs -o ro sysfs "$root/sys" &&
        mount -t tmpfs tmpfs "$root/tmp" &&
        mkdir -p "$root/dev/shm" "$root/dev/pts" && mount -t tmpfs tmpfs "$root/dev/shm" &&
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts" || exit 3
    # Terminals of its own, and what a shell needs for <(...).
    { [ -e "$root/dev/ptmx" ] || : >"$root/dev/ptmx"; } && mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx"
    [ -e "$root/dev/fd" ] || ln -s /proc/self/fd "$root/dev/fd"
    ip link set lo up 2>/dev/null
    exec chroot "$root" "$@"'

# inside COMMAND...: in Debian 13, with the checkout, read-only, at /checkout and /build to write to.
debian13_inside() {
    local namespaces=(--mount --pid --fork --kill-child)
    # A network of its own, where somebody can switch its loopback on.
    ! command -v ip >/dev/null || namespaces+=(--net)
    run unshare "${namespaces[@]}" bash -c "$debian13_enter" debian13 "$debian13_root" "$PWD" \
        "$PWD/build/debian13" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 \
        QUINTAIN_DEV_RUN="${mark#*=}" "$@"
}

debian13_build() {
    local stamp=build/debian13/.root
    # Objects of another root are not ours; the lock keeps a second run from building with us.
    if [ "$(cat $stamp 2>/dev/null)" != "$debian13_root" ]; then
        find build/debian13 -mindepth 1 -maxdepth 1 ! -name debootstrap.log -exec rm -rf {} +
        echo "$debian13_root" >$stamp
    fi
    # Optimized, for the warnings that need it, but without LTO, which doubles the time.
    if ! debian13_inside cmake -S /checkout -B /build -G Ninja -DQUINTAIN_WERROR=ON \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo '-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g' \
        >build/debian13/configure.log 2>&1; then
        cat build/debian13/configure.log >&2
        return 1
    fi
    debian13_inside cmake --build /build -j "$jobs" -- --quiet
}

# All but what takes long: the same tests pass with sanitizers on this machine.
debian13_tests() {
    local junit=build/debian13/tests.xml rc=0 before=$failed
    rm -f $junit
    debian13_inside ctest --test-dir /build -j "$jobs" --output-on-failure --no-label-summary \
        --timeout 300 --no-tests=error --output-junit /build/tests.xml \
        -LE '^slow$' -E '^(bench_|live_)' || rc=1
    [ ! -f $junit ] || count_results $junit
    [ $rc -eq 0 ] || [ "$failed" -gt "$before" ] || failed=$((failed + 1))
    return $rc
}

# A program of that Debian in the virtual bench, whose root is this machine's: by its own loader.
# The bench shows the folder that it is started from.
# shellcheck disable=SC2016 # the inner bash expands it
debian13_in_bench() {
    local lib=$debian13_root/usr/lib/x86_64-linux-gnu rc=0 program
    for program in build/debian13/tests/vm_gpio_*; do
        [ -x "$program" ] || continue
        run bash -c 'cd "$1" && shift && exec "$@"' in_root "$debian13_root" \
            "$PWD/tests/hil/vm/in_bench" "$PWD" "$PWD/build/bin" \
            "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$PWD/$program" || rc=$?
        case $rc in
        0) passed=$((passed + 1)) ;;
        77) skipped=$((skipped + 1)) rc=0 ;;
        *) failed=$((failed + 1)) && return 1 ;;
        esac
    done
}

# The whole of it; a machine where it cannot run counts as one skipped test.
debian13_all() {
    local mirror rc=0
    mirror=$(debian13_mirror)
    if ! debian13_possible "$mirror" ||
        ! stage "Debian 13: root" debian13_make_root "$mirror"; then
        say "Debian 13: skipped: $debian13_why"
        skipped=$((skipped + 1))
        return 0
    fi
    {
        flock 7
        if stage "Debian 13: build" debian13_build; then
            stage "Debian 13: tests" debian13_tests || rc=1
            stage "Debian 13: virtual bench" debian13_in_bench || rc=1
        else
            rc=1 failed=$((failed + 1))
        fi
    } 7>build/debian13.lock
    return $rc
}
