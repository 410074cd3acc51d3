# shellcheck shell=bash
# The inputs that are not in the repository: Debian packages (a C compiler, binutils, glibc, the
# kernel), the Rust toolchain, crates. eif/inputs.lock names them with digests, and Cargo.lock the
# crates; nothing is used before its digest was checked. Packages are unpacked into a folder and used
# from there: neither the machine's compiler nor its C library comes near the image, and nothing is
# installed.

lock=$root/eif/inputs.lock
triple=x86_64-unknown-linux-gnu

# What a C compiler and the linker need to run and to link a static program; then the kernel. The
# closure is by hand: Debian's would bring Kerberos and RPC along.
packages=(
    gcc-12 cpp-12 libgcc-12-dev binutils-common binutils-x86-64-linux-gnu
    libbinutils libctf0 libctf-nobfd0 libjansson4
    libgmp10 libisl23 libmpc3 libmpfr6 libstdc++6 libzstd1 zlib1g
    libc6 libc6-dev libgcc-s1
)
# From the suite itself: security updates of the kernel renew its headers every few weeks, and only
# the present ones can be downloaded.
headers=linux-libc-dev
suite=bookworm
kernel_package=linux-image-cloud-amd64
kernel_suite=bookworm-backports

# Lines of the lock: `deb NAME VERSION SHA256 PATH`, PATH as in the archive's pool.
locked_packages() { grep '^deb ' "$lock"; }
locked_value() {
    local value
    value=$(sed -n "s/^$1 //p" "$lock")
    [ -n "$value" ] || die "eif/inputs.lock has no line \"$1\""
    printf '%s' "$value"
}

kernel_release() {
    local name
    name=$(locked_packages | sed -n 's/^deb linux-image-\([^ ]*\) .*/\1/p')
    [ -n "$name" ] || die "eif/inputs.lock names no kernel"
    printf '%s' "$name"
}

# ---- Rust ---------------------------------------------------------------------------------------

# Everything of the toolchain that compiles or is linked: a component more (documentation, sources)
# changes nothing, and a byte of the standard library does.
toolchain_digest() {
    (
        cd "$1" || exit
        find bin/rustc bin/cargo lib/*.so* "lib/rustlib/$triple" -type f -print0 | LC_ALL=C sort -z |
            xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
    )
}

# Sets $rust to the toolchain's folder; it must be the locked one to the byte.
find_toolchain() {
    need rustc
    local found wanted
    rust=$(cd "$root" && rustc --print sysroot) ||
        die "the toolchain of rust-toolchain.toml is not installed" "install it with rustup and try again"
    found=$("$rust/bin/rustc" -vV | sed -n 's/^release: //p; s/^commit-hash: //p; s/^host: //p' | sort | tr '\n' ' ')
    wanted=$(printf '%s\n%s\n%s\n' "$(locked_value rust-release)" "$(locked_value rust-commit)" "$triple" | sort | tr '\n' ' ')
    [ "$found" = "$wanted" ] ||
        die "this is another Rust toolchain than eif/inputs.lock names" "  found   $found" "  locked  $wanted" \
            "install the locked one: another compiler makes another image"
    found=$(toolchain_digest "$rust")
    wanted=$(locked_value rust-files)
    [ "$found" = "$wanted" ] ||
        die "the Rust toolchain has the right version and other files than eif/inputs.lock names" \
            "  found   $found" "  locked  $wanted" "  in      $rust" \
            "install it again from rust-lang.org (a distribution's own build of Rust is another compiler)"
}

# ---- Debian packages ----------------------------------------------------------------------------

# apt with a state of its own: the machine's apt is read for its mirror and proxies, never changed.
private_apt() {
    local state=$1
    shift
    APT_CONFIG=$state/apt.conf "$@"
}

# Where this machine's apt gets Debian from: one site a line.
mirrors() {
    if [ -n "$mirror" ]; then
        printf '%s\n' "${mirror%/}" "${mirror%/}-security"
        return
    fi
    apt-get indextargets --format '$(COMPONENT) $(SITE)' 'Created-By: Packages' 2> /dev/null |
        sed -n 's/^main //p' | awk '!seen[$0]++'
}

# fetch_package FOLDER NAME VERSION SHA256 PATH: into FOLDER, checked.
fetch_package() {
    local folder=$1 name=$2 version=$3 sha256=$4 path=$5 site
    local file=$folder/${path##*/}
    for site in $(mirrors); do
        rm -f "$file.part"
        if /usr/lib/apt/apt-helper -qq -o APT::Sandbox::User=root download-file "$site/$path" "$file.part" "SHA256:$sha256" \
            > /dev/null 2>&1 && [ "$(digest_of "$file.part")" = "$sha256" ]; then
            mv "$file.part" "$file"
            return
        fi
    done
    rm -f "$file.part"
    die "$name $version cannot be downloaded: $path" \
        "no mirror that this machine's apt knows has it with the locked SHA-256; Debian drops versions that it replaced" \
        "use --inputs DIR with an archive that --save-inputs made, or --mirror URL of a mirror that keeps old versions" \
        "(scripts/build-eif --update-inputs would lock the present versions, which makes another image)"
}

# All packages of the lock in $cache/packages, from --inputs or from the mirrors.
gather_packages() {
    local folder=$cache/packages name version sha256 path file said=
    mkdir -p "$folder"
    while read -r _ name version sha256 path; do
        file=$folder/${path##*/}
        if [ ! -f "$file" ] || [ "$(digest_of "$file")" != "$sha256" ]; then
            rm -f "$file"
            if [ -n "$inputs" ]; then
                [ -f "$inputs/packages/${path##*/}" ] || die "$inputs has no packages/${path##*/}, which eif/inputs.lock names"
                # Copied before it is looked at: what was checked is what stays.
                cp "$inputs/packages/${path##*/}" "$file.part"
                if [ "$(digest_of "$file.part")" != "$sha256" ]; then
                    rm -f "$file.part"
                    die "$inputs/packages/${path##*/} has another SHA-256 than eif/inputs.lock says"
                fi
                mv "$file.part" "$file"
            else
                [ -n "$said" ] || step "downloading Debian packages (about 110 MB)"
                said=yes
                fetch_package "$folder" "$name" "$version" "$sha256" "$path"
            fi
        fi
    done < <(locked_packages)
}

# Sets $sysroot: the packages unpacked, with wrappers in tools/ through which alone they are called.
unpack_sysroot() {
    sysroot=$cache/sysroot-$(digest_of "$lock" | cut -c 1-16)
    [ ! -d "$sysroot" ] || return 0
    step "unpacking the sysroot"
    need dpkg-deb xz
    local new path
    temporary_folder new "$cache"
    while read -r _ _ _ _ path; do
        dpkg-deb --extract "$cache/packages/${path##*/}" "$new"
    done < <(locked_packages)
    rm -rf "${new:?}/usr/share"
    write_tools "$new"
    chmod -R u+rwX,go+rX,go-w "$new"
    # The wrappers find what they wrap beside themselves, so the folder may be moved.
    mv -T "$new" "$sysroot" 2> /dev/null || [ -d "$sysroot" ]
}

# A program of the sysroot runs with the sysroot's own loader and libraries: so it runs the same on
# any x86-64 Linux, and nothing of that Linux reaches what it makes.
write_tools() {
    local tools=$1/tools tool
    mkdir "$tools"
    wrap() {
        cat > "$tools/$1" <<WRAPPER
#!/bin/sh
here=\${0%/*}/..
exec "\$here/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "\$here/usr/lib/x86_64-linux-gnu:\$here/lib/x86_64-linux-gnu" --argv0 "\$here/$2" "\$here/$2"$3 "\$@"
WRAPPER
    }
    for tool in as ld.bfd ar nm strip objcopy ranlib readelf objdump; do
        wrap "$tool" "usr/bin/x86_64-linux-gnu-$tool" ""
    done
    ln -s ld.bfd "$tools/ld"
    for tool in cc1 collect2; do
        wrap "$tool" "usr/lib/gcc/x86_64-linux-gnu/12/$tool" ""
    done
    # -B: the wrappers stand for the assembler, the linker, and the compiler proper.
    # shellcheck disable=SC2016
    wrap cc usr/bin/x86_64-linux-gnu-gcc-12 ' --sysroot="$here" -B"$here/tools/"'
    # Which warnings a compiler of the machine would take is asked of `gcc` by some build scripts.
    ln -s cc "$tools/gcc"
    chmod +x "$tools"/*
}

# ---- Crates -------------------------------------------------------------------------------------

# What Cargo.lock names, one line a crate as sha256sum --check reads it: SHA-256, NAME-VERSION.crate.
# Fails on a crate that has no checksum there, or does not come from crates.io.
locked_crates() {
    git_of_root show "$tree:Cargo.lock" | awk '
        function done() {
            if (source == "") { name = ""; return }
            if (source != "registry+https://github.com/rust-lang/crates.io-index") { wrong = "another source than crates.io: " source }
            else if (name !~ /^[A-Za-z0-9_-]+$/ || version !~ /^[0-9][A-Za-z0-9.+-]*$/) { wrong = "no usable name and version" }
            else if (checksum !~ /^[0-9a-f]+$/ || length(checksum) != 64) { wrong = "no SHA-256" }
            if (wrong != "") { print "Cargo.lock: " name " " version " has " wrong > "/dev/stderr"; exit 1 }
            printf "%s  %s-%s.crate\n", checksum, name, version
            name = source = checksum = ""
        }
        /^\[/ { done(); source = checksum = "" }
        /^(name|version|source|checksum) = ".*"$/ {
            value = substr($0, index($0, "\"") + 1); sub(/"$/, "", value)
            if ($1 == "name") name = value; else if ($1 == "version") version = value
            else if ($1 == "source") source = value; else checksum = value
        }
        END { if (wrong != "") exit 1; done() }'
}

# gather_crate NAME CHECKSUM FILE...: the first of the files that is the locked one, into the cache.
# Copied before it is looked at: what was checked is what stays.
gather_crate() {
    local name=$1 checksum=$2 file part
    shift 2
    part=$cache/crates/$name.part
    for file in "$@"; do
        [ -f "$file" ] || continue
        cp -- "$file" "$part"
        if [ "$(digest_of "$part")" = "$checksum" ]; then
            # --check's second user reads it too, whatever this one's umask is.
            chmod 644 -- "$part"
            mv -- "$part" "$cache/crates/$name"
            return
        fi
        rm -f -- "$part"
    done
    return 1
}

# All crates of Cargo.lock in $cache/crates, as crates.io serves them, from --inputs or from cargo.
# Each is checked against Cargo.lock, wherever it comes from and however long it was there.
gather_crates() {
    local list missing checksum name home
    temporary_folder list "$cache"
    locked_crates > "$list/locked" || die "Cargo.lock cannot be used: see above"
    [ -s "$list/locked" ] || die "Cargo.lock names no crates"
    (umask 022 && mkdir -p "$cache/crates")
    missing=$(cd "$cache/crates" && (sha256sum --check --strict "$list/locked" 2> /dev/null || true) | sed -n 's/: FAILED.*$//p')
    [ -n "$missing" ] || return 0
    if [ -z "$inputs" ]; then
        step "gathering crates"
        export_source "$list/source"
        (cd "$root" && "$rust/bin/cargo" fetch --locked --quiet --manifest-path "$list/source/Cargo.toml" > /dev/null) ||
            die "crates cannot be downloaded" "see above; or use --inputs DIR with an archive that --save-inputs made"
        home=${CARGO_HOME:-${HOME:?}/.cargo}
    fi
    while read -r checksum name; do
        grep -qxF -- "$name" <<< "$missing" || continue
        rm -f -- "$cache/crates/$name"
        if [ -n "$inputs" ]; then
            [ -f "$inputs/crates/$name" ] ||
                die "$inputs has no crates/$name, which Cargo.lock names" "make the archive with --save-inputs, of this commit"
            gather_crate "$name" "$checksum" "$inputs/crates/$name" ||
                die "$inputs/crates/$name has another SHA-256 than Cargo.lock says"
        else
            gather_crate "$name" "$checksum" "$home"/registry/cache/*/"$name" ||
                die "cargo has no $name with the SHA-256 of Cargo.lock" "looked for in $home/registry/cache: delete it there and try again"
        fi
    done < "$list/locked"
}

# unpack_crates FOLDER: sets $crates to it, a directory source as `cargo vendor` makes them. Anew for
# each build, from files that were checked: cargo compares such a source with digests beside it only.
unpack_crates() {
    local checksum name list
    crates=$1
    list=$(locked_crates)
    mkdir "$crates"
    (cd "$cache/crates" && sha256sum --check --quiet --strict <<< "$list" >&2) || die "a crate in $cache/crates changed: see above"
    while read -r checksum name; do
        (umask 022 && tar -xzf "$cache/crates/$name" -C "$crates" --no-same-owner --no-same-permissions "${name%.crate}") ||
            die "$name cannot be unpacked: see above"
        printf '{"files":{},"package":"%s"}' "$checksum" > "$crates/${name%.crate}/.cargo-checksum.json"
    done <<< "$list"
    chmod -R u+rwX,go+rX,go-w "$crates"
}

# ---- Archives -----------------------------------------------------------------------------------

# An archive of everything but the toolchain, from which --inputs builds offline.
save_inputs() {
    local to=$1 path name
    mkdir -p "$to/packages"
    while read -r _ _ _ _ path; do
        cp "$cache/packages/${path##*/}" "$to/packages/"
    done < <(locked_packages)
    cp "$lock" "$to/inputs.lock"
    mkdir -p "$to/crates"
    locked_crates | while read -r _ name; do
        cp "$cache/crates/$name" "$to/crates/"
    done
    say "inputs saved in $to ($(du -sh "$to" | cut -f 1)); build from them with --inputs $to"
}

# Writes the lock anew: what Debian has today, and this toolchain.
update_inputs() {
    need apt-get apt-cache rustc
    local state site new name
    temporary_folder state "$cache"
    mkdir -p "$state/lists/partial" "$state/archives/partial"
    : > "$state/status"
    cat > "$state/apt.conf" <<CONF
Dir::State "$state";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "/dev/null";
Acquire::Languages "none";
APT::Architecture "amd64";
APT::Sandbox::User "root";
CONF
    : > "$state/sources.list"
    for site in $(mirrors); do
        local options="deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" name_of_suite
        case "$site" in
            *security*) printf '%s %s %s-security main\n' "$options" "$site" "$suite" ;;
            */debian) for name_of_suite in "$suite" "$suite-updates" "$kernel_suite"; do
                printf '%s %s %s main\n' "$options" "$site" "$name_of_suite"
            done ;;
        esac >> "$state/sources.list"
    done
    [ -s "$state/sources.list" ] || die "this machine's apt knows no Debian mirror" "name one with --mirror URL"
    step "reading Debian's package lists"
    private_apt "$state" apt-get update -q > "$state/said" 2>&1 || { cat "$state/said" >&2; die "Debian's package lists cannot be read"; }

    new=$state/inputs.lock
    rust=$(cd "$root" && rustc --print sysroot)
    {
        cat <<'HEAD'
# What the image is made of besides this repository and the crates of Cargo.lock, to the byte.
# scripts/build-eif checks every digest before use and writes this file anew with --update-inputs.
# Another line here is another image: PCR values change.
#
# rust-files: SHA-256 over the toolchain's compiler, libraries and standard library.
# deb: package, version, SHA-256, path in Debian's archive. glibc and libgcc are linked into the
# enclave (PCR2); the kernel and its modules are in PCR1.
HEAD
        printf 'rust-release %s\n' "$("$rust/bin/rustc" -vV | sed -n 's/^release: //p')"
        printf 'rust-commit %s\n' "$("$rust/bin/rustc" -vV | sed -n 's/^commit-hash: //p')"
        printf 'rust-files %s\n' "$(toolchain_digest "$rust")"
        name=$(private_apt "$state" apt-cache show --no-all-versions "$kernel_package/$kernel_suite" |
            sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p')
        [ -n "$name" ] || die "$kernel_suite has no $kernel_package"
        private_apt "$state" apt-cache show --no-all-versions "${packages[@]}" "$headers/$suite" "$name" | awk '
            /^Package: / { name = $2 } /^Version: / { version = $2 } /^SHA256: / { sha256 = $2 } /^Filename: / { path = $2 }
            /^$/ { print "deb", name, version, sha256, path }' | LC_ALL=C sort
    } > "$new"
    [ "$(grep -c '^deb ' "$new")" -eq $((${#packages[@]} + 2)) ] || die "Debian has not all packages:" "$(cat "$new")"
    cp "$new" "$lock"
    say "eif/inputs.lock is written anew: read the difference, build, and commit it with the reason"
}
