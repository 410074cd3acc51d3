# shellcheck shell=bash
# The other way to an image: Docker and nitro-cli, with the same enclave inside. Kernel and init are
# nitro-cli's, so the PCRs are others, and other ones again under another nitro-cli.

build_with_nitro_cli() {
    local to=$1 tag context said version
    need docker nitro-cli
    version=$(nitro-cli --version) || die "nitro-cli --version failed"
    version=$(head -n 1 <<< "$version")
    [[ $version =~ [0-9]+\.[0-9]+\.[0-9]+ ]] || die "nitro-cli does not say its version: $version"
    nitro_cli_version=${BASH_REMATCH[0]}

    temporary_folder context "$cache"
    cp "$root/eif/Dockerfile" "$context/"
    install -m 755 "$programs/enclave" "$context/enclave"
    # Times reach the ramdisk through Docker's layers.
    touch -d "@$epoch" "$context/enclave" "$context/Dockerfile" "$context"
    tag=nitro-signer:build-$(digest_of "$programs/enclave" | cut -c 1-16)
    step "docker build"
    SOURCE_DATE_EPOCH=$epoch docker build --quiet --network none --tag "$tag" "$context" >&2 || die "docker build failed: see above"

    step "nitro-cli build-enclave ($version)"
    image=$to/nitro-signer.eif
    rm -f "$image" "$to/measurements.json" "$to/manifest.json"
    local part=$context/image.eif
    local arguments=(--docker-uri "$tag" --output-file "$part")
    [ -z "$signing_key" ] || arguments+=(--private-key "$signing_key" --signing-certificate "$certificate")
    said=$context/said
    if ! nitro-cli build-enclave "${arguments[@]}" > "$said" 2> "$context/log"; then
        cat "$context/log" "$said" >&2
        die "nitro-cli build-enclave failed: see above"
    fi
    [ -s "$part" ] || { cat "$context/log" "$said" >&2; die "nitro-cli said it succeeded, and wrote no image"; }
    check_what_nitro_cli_said "$said" "$part"
    mv "$part" "$image"
    measure_image "$to"
    write_manifest "$to"
}

# check_what_nitro_cli_said JSON EIF: every PCR it printed is what the file measures. A signing that
# failed has been seen to leave an unsigned image and exit status 0.
check_what_nitro_cli_said() {
    local measured=$1.measured pcr theirs ours wanted=(PCR0 PCR1 PCR2)
    [ -z "$signing_key" ] || wanted+=(PCR8)
    "$programs/signer-eif" measure "$2" --json > "$measured" || die "what nitro-cli wrote cannot be measured"
    for pcr in "${wanted[@]}"; do
        theirs=$(pcr_of "$pcr" "$1") || die "nitro-cli build-enclave printed no usable $pcr:" "$(head -c 2000 "$1")"
        ours=$(pcr_of "$pcr" "$measured") || die "the image that nitro-cli wrote has no $pcr (asked to sign, did it?)"
        [ "$theirs" = "$ours" ] || die "nitro-cli printed another $pcr than its image has" "  printed   $theirs" "  measured  $ours"
    done
}
