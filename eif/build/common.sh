# shellcheck shell=bash
# What the parts of scripts/build-eif share: messages, digests, temporary folders.

say() { printf '%s\n' "$*" >&2; }

# die MESSAGE...: one line each, then exit 1. The last line says what to do.
die() {
    printf 'build-eif: %s\n' "$@" >&2
    exit 1
}

usage_error() {
    printf 'build-eif: %s\nSee scripts/build-eif --help.\n' "$1" >&2
    exit 2
}

# step TEXT: what begins now, and when.
step() { printf '[%3dm%02ds] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*" >&2; }

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" > /dev/null || die "$tool is not installed, and is needed"
    done
}

digest_of() { sha256sum -- "$1" | cut -d ' ' -f 1; }

# git without what the settings of a user, a machine or a clone, or a replace ref, would change in files.
# Whether this user may trust the checkout was asked with their own settings before (choose_source).
plain_git() {
    GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 GIT_NO_REPLACE_OBJECTS=1 \
        git -c 'safe.directory=*' -c core.autocrlf=false -c core.eol=lf -c core.attributesFile=/dev/null -c tar.umask=0022 "$@"
}
git_of_root() { plain_git -C "$root" "$@"; }

# Folders that end with this process, however it ends; and the second build of --check, while it runs.
second_group=
temporary=()
forget_temporary() {
    local folder
    if [ -n "$second_group" ]; then
        kill -TERM -- "-$second_group" 2> /dev/null || true
        wait "$second_group" || true
    fi
    for folder in "${temporary[@]}"; do
        # Folders without write permission (a second user's, a package's) go too.
        chmod -R u+rwX -- "$folder" 2> /dev/null || true
        rm -rf -- "$folder"
    done
}
# temporary_folder NAME PARENT: sets $NAME to a new folder below PARENT.
temporary_folder() {
    mkdir -p "$2"
    printf -v "$1" '%s' "$(mktemp -d -- "$2/build-eif.XXXXXX")"
    temporary+=("${!1}")
}

# Compilers are run from the cache without another look: nobody else may write there.
refuse_shared_cache() {
    local owner permissions
    read -r owner permissions < <(stat -L -c '%u %a' -- "$cache")
    [ "$owner" = "$(id -u)" ] || die "$cache belongs to another user (id $owner)" "name a folder of your own with --cache DIR"
    [ $((8#$permissions & 8#022)) -eq 0 ] || die "others may write to $cache (mode $permissions)" "chmod go-w it, if you trust what is there"
}

json_text() {
    local text=$1
    text=${text//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    text=${text//$'\t'/\\t}
    printf '"%s"' "$text"
}

# keep_last COUNT FOLDER...: of folders that a later build may want again, those used last.
keep_last() {
    local count=$1 folder
    shift
    find "$@" -maxdepth 0 -type d -printf '%T@ %p\n' | sort -rn | sed "1,${count}d; s/^[^ ]* //" | while read -r folder; do
        rm -rf -- "$folder"
    done
}
