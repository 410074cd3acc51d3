# shellcheck shell=bash
# Builds a second time and compares. The first build is the ordinary one, of this user in this
# checkout; it may be an earlier one of the same sources, and then this says of when. The second is
# from nothing: another checkout, another user, another toolchain folder, no network, and an
# environment that would spoil the image if it reached it. They share the bytes of the inputs, and
# the machine.

check_build() {
    temporary_folder second "${TMPDIR:-/var/tmp}"
    prepare_second
    local available started=$SECONDS
    available=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
    step "second build: as $second_user, in $second/checkout"
    # Linking takes one core and much of the time: two builds at once take less than twice as long.
    if [ "$available" -ge 10 ]; then
        # A process group of its own, so that it can be ended with all its compilers.
        set -m
        run_second > "$second/log" 2>&1 < /dev/null &
        second_group=$!
        set +m
        build_first
        wait "$second_group" || { second_group=; second_failed; }
        second_group=
    else
        build_first
        run_second > "$second/log" 2>&1 || second_failed
    fi
    step "both builds are done ($(((SECONDS - started) / 60))m$(((SECONDS - started) % 60))s); comparing"
    compare_builds "$output" "$second/dist" || die "two builds of the same inputs differ: see above"
    if [ -n "$json" ]; then
        printf '{"equal":true,"compared":["enclave","init","nitro-signer.eif","measurements.json","manifest.json"],"second_user":%s,"first_built":%s,"image":' \
            "$(json_text "$second_user")" "$(json_text "$(cat "$programs/built")")"
        report_image "$output" | sed 's/$/}/'
        return
    fi
    report_image "$output"
    printf 'equal     enclave, init, image, measurements and manifest: byte for byte\n'
    printf 'first     %s\nsecond    from nothing, as %s, in %s\n' "$(cat "$programs/built")" "$second_user" "$second/checkout"
}

build_first() {
    build_programs
    mkdir -p "$output"
    install_programs "$output"
    build_image "$output"
}

second_failed() {
    sed 's/^/second: /' "$second/log" >&2
    die "the second build failed: see above"
}

# A checkout, inputs and a toolchain that another user can read, in a folder of another name.
prepare_second() {
    chmod 755 "$second"
    mkdir "$second"/{home,archive,toolchain,dist,cache}
    chmod go-w "$second/cache"
    second_configs=()
    local file
    for file in "${configs[@]}"; do
        cp -- "$file" "$second/config-${#second_configs[@]}.json"
        second_configs+=(--config "$second/config-${#second_configs[@]}.json")
    done
    plain_git init -q --template= "$second/checkout"
    git -C "$second/checkout" fetch -q --depth=1 "file://$(git -C "$root" rev-parse --path-format=absolute --git-common-dir)" "$commit" ||
        die "git cannot fetch $commit from $root"
    plain_git -C "$second/checkout" checkout -q --detach FETCH_HEAD
    set_traps
    choose_second_user
    # Before anything is linked in: a link's owner is the original's.
    [ -z "$second_uid" ] || chown -R "$second_uid:$second_uid" "$second"
    link_tree "$cache/packages" "$second/archive/packages"
    link_tree "$cache/crates" "$second/archive/crates"
    link_tree "$rust/bin" "$second/toolchain/bin"
    (umask 022 && mkdir -p "$second/toolchain/lib/rustlib")
    local part
    for part in "$rust"/lib/*.so*; do
        link_tree "$part" "$second/toolchain/lib/${part##*/}"
    done
    link_tree "$rust/lib/rustlib/$triple" "$second/toolchain/lib/rustlib/$triple"
}

# Links where the file system allows it, copies elsewhere.
link_tree() { cp -al -- "$1" "$2" 2> /dev/null || { rm -rf -- "$2"; cp -a -- "$1" "$2"; }; }

# What a user's machine may have lying about, none of which may reach the image.
set_traps() {
    mkdir -p "$second/home/.cargo" "$second/home/bin"
    cat > "$second/home/.cargo/config.toml" <<'CONF'
[build]
rustflags = ["-C", "opt-level=0"]
rustc-wrapper = "/nonexistent/wrapper"
[profile.enclave]
opt-level = 0
lto = false
[env]
CFLAGS = { value = "-O0 -DTRAP", force = true }
CONF
    local tool
    for tool in cc gcc clang ld ar as cmake go nasm pkg-config; do
        printf '#!/bin/sh\necho "%s of the machine was called" >&2\nexit 1\n' "$tool" > "$second/home/bin/$tool"
    done
    chmod +x "$second"/home/bin/*
}

# Sets $second_uid (empty: no other can be had), $second_user, and $enter: how a command becomes it.
choose_second_user() {
    enter=()
    if unshare --net --uts true 2> /dev/null; then
        enter=(unshare --net --uts sh -c 'echo elsewhere > /proc/sys/kernel/hostname 2> /dev/null; exec "$@"' sh)
    elif unshare --user --map-root-user --net --uts true 2> /dev/null; then
        enter=(unshare --user --map-root-user --net --uts sh -c 'echo elsewhere > /proc/sys/kernel/hostname 2> /dev/null; exec "$@"' sh)
    fi
    second_uid=
    if [ "$(id -u)" -eq 0 ] && command -v setpriv > /dev/null; then
        second_uid=47110
        enter+=(setpriv --reuid="$second_uid" --regid="$second_uid" --clear-groups)
        second_user="user $second_uid"
    elif [ ${#enter[@]} -gt 0 ]; then
        second_user="root of a user namespace"
    else
        second_user="the same user (this machine has no user namespaces)"
    fi
    [ ${#enter[@]} -gt 0 ] && [ "${enter[0]}" = unshare ] && second_user+=", without network, on host \"elsewhere\"" ||
        second_user+=", with network (this machine has no network namespaces)"
}

run_second() {
    # shellcheck disable=SC2016
    "${enter[@]}" env -i HOME="$second/home" USER=second LOGNAME=second TZ=Pacific/Kiritimati LANG=C.UTF-8 LC_ALL=C.UTF-8 \
        PATH="$second/home/bin:$second/toolchain/bin:/usr/local/bin:/usr/bin:/bin" TMPDIR="$second/home" \
        CC=/nonexistent/cc CFLAGS="-O0 -DTRAP" LDFLAGS="-Wl,--trap" AR=/nonexistent/ar RUSTFLAGS="-C opt-level=0" \
        CARGO_HOME="$second/home/.cargo" CARGO_PROFILE_ENCLAVE_LTO=off CARGO_PROFILE_ENCLAVE_CODEGEN_UNITS=16 \
        CARGO_BUILD_TARGET=wasm32-unknown-unknown AWS_LC_SYS_NO_ASM=1 SOURCE_DATE_EPOCH=1 CPATH=/nonexistent \
        LIBRARY_PATH=/nonexistent GCC_EXEC_PREFIX=/nonexistent/ \
        bash -c 'umask 077; cd /; exec "$@"' bash "$second/checkout/scripts/build-eif" --fresh --inputs "$second/archive" \
        --cache "$second/cache" --output "$second/dist" "${second_configs[@]}" ${jobs:+--jobs "$jobs"} ${json:+--json}
}

# compare_builds FIRST SECOND: fails if a byte differs, and says where.
compare_builds() {
    local name differ=
    for name in enclave init nitro-signer.eif measurements.json manifest.json; do
        if ! cmp -s "$1/$name" "$2/$name"; then
            differ=yes
            say "$name differs:"
            show_difference "$1/$name" "$2/$name" >&2
        fi
    done
    [ -z "$differ" ]
}

show_difference() {
    local offset size
    printf '  sizes %s and %s bytes; ' "$(stat -c %s "$1")" "$(stat -c %s "$2")"
    offset=$(cmp "$1" "$2" 2>&1 | sed -n 's/.*\(byte\|char\) \([0-9]*\).*/\2/p')
    [ -n "$offset" ] || { printf 'one of them ends early\n'; return; }
    printf 'first at byte %s\n' "$offset"
    case "$1" in
        *.json) diff -u "$1" "$2" | head -n 20 ;;
        *)
            cmp -l "$1" "$2" 2> /dev/null | wc -l | sed 's/.*/  & bytes differ at the same place/'
            if [ "$(head -c 4 "$1" | tr -d '\0' | tail -c 3)" = ELF ]; then
                section_at "$1" $((offset - 1))
            fi
            size=$((offset > 64 ? offset - 64 : 0))
            printf '  first:\n'
            od -A d -t x1z -j "$size" -N 128 "$1"
            printf '  second:\n'
            od -A d -t x1z -j "$size" -N 128 "$2"
            ;;
    esac
}

# section_at ELF OFFSET: the section that holds this byte of the file.
section_at() {
    local name type address at bytes _
    "$sysroot/tools/readelf" -SW "$1" | sed -n 's/^ *\[ *[0-9]*\] //p' |
        while read -r name type address at bytes _; do
            [[ $at$bytes =~ ^[0-9a-f]+$ ]] && [ "$type" != NOBITS ] || continue
            [ "$2" -lt $((16#$at)) ] || [ "$2" -ge $((16#$at + 16#$bytes)) ] || printf '  in section %s (at %s)\n' "$name" "$address"
        done
}
