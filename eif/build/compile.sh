# shellcheck shell=bash
# From source to the two programs that go into the image, with nothing of this machine in them.

# export_source FOLDER: the tree that is built, as git has it: no file that git does not know, no
# permission bits or line endings of this checkout.
export_source() {
    mkdir -p "$1"
    git_of_root archive --format=tar "$tree" | (umask 022 && tar -xf - -C "$1" --no-same-owner)
}

# isolated WORK COMMAND...: runs with the wrappers and the locked toolchain on PATH and nothing else,
# in an environment that names all there is to it. Cargo reads its configuration from the folder it
# is called in and from CARGO_HOME: here from / and from a folder that was written for this build.
# AWS-LC seeds itself from the kernel and from rdrand. Its third source times the CPU, and aborts the program
# where that fails (an odd timer, a busy or emulated CPU): a way to die that adds nothing, because the
# kernel mixes the hypervisor's NSM and the CPU already.
isolated() {
    local work=$1
    shift
    (
        cd /
        umask 022
        exec env -i PATH="$sysroot/tools:$rust/bin" HOME="$work/home" CARGO_HOME="$work/cargo" CARGO_TARGET_DIR="$work/target" \
            TMPDIR="$work/tmp" LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH="$epoch" CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 \
            ${jobs:+CARGO_BUILD_JOBS="$jobs"} \
            CC="$sysroot/tools/cc" AR="$sysroot/tools/ar" RANLIB="$sysroot/tools/ranlib" \
            AWS_LC_SYS_CMAKE_BUILDER=0 AWS_LC_SYS_NO_ASM=0 AWS_LC_SYS_NO_JITTER_ENTROPY=1 \
            CFLAGS="$(prefix_maps "$work" -ffile-prefix-map=)" \
            CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER="$sysroot/tools/cc" \
            RUSTFLAGS="-C target-feature=+crt-static $(prefix_maps "$work" --remap-path-prefix=)" \
            "$@"
    )
}

# Every folder that a path in the programs could name, under a name that is the same everywhere.
# The longest first for a human; both compilers take the last that fits.
prefix_maps() {
    local option=$2
    printf '%s ' "$option$1=/build" "$option$1/source=/nitro-signer" "$option$1/target=/target" \
        "$option$crates=/crates" "$option$1/cargo=/cargo" "$option$sysroot=/sysroot" \
        "$option$rust/lib/rustlib/src/rust=/rustc/$(locked_value rust-commit)"
}

# Cargo reads the configuration of the folder it is called in and of those above: builds run in /, so
# that only these are left, for both builds of --check alike.
refuse_foreign_cargo_configuration() {
    local file
    for file in /.cargo/config /.cargo/config.toml; do
        [ ! -e "$file" ] && [ ! -L "$file" ] || die "$file would reach the build" "move it away: cargo has no option to ignore it"
    done
}

# compile SOURCE WORK: enclave, init and signer-eif in WORK/programs. WORK is new.
compile() {
    refuse_foreign_cargo_configuration
    prepare "$1" "$2"
    step "compiling signer-eif, which assembles"
    cargo_build "$1" "$2" build -p signer-eif --bin signer-eif --profile dev
    install -m 755 "$2/target/$triple/debug/signer-eif" "$2/programs/signer-eif"
    step "compiling init"
    compile_for_image "$1" "$2" signer-init init
    step "compiling the enclave (about 5 minutes on 2 cores)"
    compile_for_image "$1" "$2" signer-enclave enclave
    # It starts, and ends where a Nitro enclave would go on.
    if [ ! -e /dev/nsm ]; then
        local said
        said=$("$2/programs/enclave" 2>&1 < /dev/null || true)
        [ "$said" = "nitro-signer: /dev/nsm cannot be opened" ] || die "the enclave does not start: $said"
    fi
}

# prepare SOURCE WORK
prepare() {
    local source=$1 work=$2
    mkdir -p "$work"/{home,cargo,tmp,target,programs}
    cat > "$work/cargo/config.toml" <<CONF
[source.crates-io]
replace-with = "locked"

[source.locked]
directory = "$crates"
CONF
    # Beside its source, so that rustc is given the same relative path wherever the source is.
    isolated "$work" "$sysroot/tools/cc" -O2 -ffile-prefix-map="$source=/nitro-signer" \
        -c "$source/enclave/link/no_loader.c" -o "$work/no_loader.o"
    isolated "$work" "$sysroot/tools/ar" crsD "$source/enclave/link/libno_loader.a" "$work/no_loader.o"
}

# compile_for_image SOURCE WORK PACKAGE NAME: WORK/programs/NAME, static, stripped and looked through.
compile_for_image() {
    local work=$2 made=$2/target/$triple/enclave/$3
    # Alone (-p): features that other packages ask of shared dependencies do not reach the image.
    cargo_build "$1" "$work" rustc -p "$3" --bin "$3" --profile enclave -- \
        -L native=enclave/link -l static:+whole-archive=no_loader
    isolated "$work" "$sysroot/tools/strip" -o "$work/programs/$4" "$made"
    refuse_what_must_not_be_there "$work" "$made" "$work/programs/$4"
}

# cargo_build SOURCE WORK COMMAND...
cargo_build() {
    local source=$1 work=$2 command=$3
    shift 3
    if ! isolated "$work" cargo "$command" --manifest-path "$source/Cargo.toml" --locked --offline --target "$triple" "$@" \
        > "$work/cargo.log" 2>&1; then
        cat "$work/cargo.log" >&2
        die "the build failed: see above"
    fi
}

# refuse_what_must_not_be_there WORK UNSTRIPPED STRIPPED: name look-up, NSS, dlopen; a loader; folders
# of this machine.
refuse_what_must_not_be_there() {
    local work=$1 found folder
    # glibc refers to some of these weakly (fork to NSS): what is not defined is not there.
    found=$(isolated "$work" "$sysroot/tools/nm" --defined-only "$2")
    # A list that names no main would mean that nothing was looked at.
    grep -q ' T main$' <<< "$found" || die "nm lists no symbols of $2"
    if found=$(grep -E ' (getaddrinfo|gethostby[a-z0-9_]*|_*dlopen[a-z0-9_]*|__libc_dlopen[a-z0-9_]*|_dl_open[a-z0-9_]*|_*nss_[a-z0-9_]*)$' <<< "$found"); then
        die "${2##*/} must not contain" "$found"
    fi
    if isolated "$work" "$sysroot/tools/readelf" -lW "$3" | grep -q INTERP; then
        die "${2##*/} must be static, and asks for a loader"
    fi
    for folder in "$work" "$crates" "$sysroot" "$rust" "$root" "${HOME:-/nowhere}"; do
        [ "$folder" = / ] || ! grep -qaF -- "$folder/" "$3" || die "${2##*/} must not contain paths of this machine: $folder/"
    done
}
