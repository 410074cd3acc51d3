# shellcheck shell=bash
# Which sources, and whether their programs were built before.

# What the programs are made of. What is elsewhere (the host, tests, documents) is not looked at.
sources=(Cargo.toml Cargo.lock rust-toolchain.toml enclave shared eif host/terminal scripts/build-eif)

# Sets $commit, $tree, $epoch: what is checked out; for --development, what is on disk.
choose_source() {
    commit=$(git -C "$root" rev-parse --verify -q HEAD) || die "$root is not a git checkout" "what is built must have a commit"
    local attributes
    attributes=$(git -C "$root" rev-parse --path-format=absolute --git-path info/attributes)
    [ ! -s "$attributes" ] || die "$attributes would change the sources that are built" "only .gitattributes of the repository may: move it away"
    epoch=$(git_of_root log -1 --format=%ct "$commit")
    tree=$(git_of_root rev-parse "$commit^{tree}")
    if [ -z "$development" ]; then
        [ -z "$(git -C "$root" status --porcelain --untracked-files=no)" ] ||
            die "there are changes that are not committed:" "$(git -C "$root" status --short --untracked-files=no | head -n 10)" \
                "an image is built of a commit, so that others can build it: commit, or use --development"
        return
    fi
    local index on_disk
    temporary_folder index "$cache"
    cp "$(git -C "$root" rev-parse --path-format=absolute --git-path index)" "$index/index"
    GIT_INDEX_FILE=$index/index git -C "$root" add --all
    on_disk=$(GIT_INDEX_FILE=$index/index git -C "$root" write-tree)
    [ "$on_disk" = "$tree" ] || commit=$commit+changes
    tree=$on_disk
}

# One name for all that decides on the programs' bytes: sources, lock of inputs, this script.
programs_key() {
    local manifests
    mapfile -t manifests < <(git_of_root ls-tree -r --name-only "$tree" | grep '/Cargo.toml$')
    git_of_root ls-tree -r --full-tree "$tree" -- "${sources[@]}" "${manifests[@]}" | sha256sum | cut -c 1-32
}

# Sets $programs: a folder with enclave, init and signer-eif.
build_programs() {
    programs=$cache/programs/$(programs_key)
    if [ -z "$fresh" ] && [ -f "$programs/built" ]; then
        step "programs of these sources were built before: $(cat "$programs/built")"
        touch "$programs"
        return
    fi
    local work started=$SECONDS
    temporary_folder work "$cache/work"
    export_source "$work/source"
    unpack_crates "$work/crates"
    compile "$work/source" "$work"
    printf '%s, in %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$work" > "$work/programs/built"
    mkdir -p "$cache/programs"
    rm -rf "$programs"
    mv -T "$work/programs" "$programs"
    step "programs built in $(((SECONDS - started) / 60))m$(((SECONDS - started) % 60))s"
    # An older commit's may be asked for again.
    keep_last 4 "$cache"/programs/*
}

install_programs() {
    install -m 755 "$programs/enclave" "$programs/init" "$1/"
}

report_programs() {
    local name
    if [ -n "$json" ]; then
        printf '{"commit":%s,"programs":{' "$(json_text "$commit")"
        printf '"enclave":{"sha256":"%s","bytes":%s},' "$(digest_of "$programs/enclave")" "$(stat -c %s "$programs/enclave")"
        printf '"init":{"sha256":"%s","bytes":%s}}}\n' "$(digest_of "$programs/init")" "$(stat -c %s "$programs/init")"
        return
    fi
    for name in enclave init; do
        printf '%-10s%s  %s bytes\n' "$name" "$(digest_of "$programs/$name")" "$(stat -c %s "$programs/$name")"
    done
}
