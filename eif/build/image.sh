# shellcheck shell=bash
# From programs, kernel and modules to the image, its measurements and its manifest.

# Loaded by init in this order.
modules=(virtio_mmio vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport nsm)
# Measured into PCR1.
production_cmdline="reboot=k panic=30 pci=off console=ttyS0 random.trust_cpu=on"

# unpack_kernel FOLDER: vmlinuz and the modules, uncompressed.
unpack_kernel() {
    local release module found
    release=$(kernel_release)
    cp "$sysroot/boot/vmlinuz-$release" "$1/vmlinuz"
    for module in "${modules[@]}"; do
        found=$(find "$sysroot/lib/modules/$release/kernel" \( -name "$module.ko" -o -name "$module.ko.xz" \))
        case "$found" in
            *.ko) cp "$found" "$1/$module.ko" ;;
            *.ko.xz) xz -dc "$found" > "$1/$module.ko" ;;
            *) die "the kernel package has not exactly one module $module: $found" ;;
        esac
    done
}

# image_of PROGRAMS EIF: assembles; the kernel's parts come from $kernel.
image_of() {
    local from=$1 image=$2 module
    local arguments=(--kernel "$kernel/vmlinuz" --cmdline "${cmdline:-$production_cmdline}" --init "$from/init")
    for module in "${modules[@]}"; do
        arguments+=(--module "$kernel/$module.ko")
    done
    arguments+=(--enclave "$from/enclave")
    [ -z "$kms_roots" ] || arguments+=(--kms-roots "$kms_roots")
    [ -z "$signing_key" ] || arguments+=(--signing-key "$signing_key" --signing-certificate "$certificate")
    rm -f "$image.part"
    SOURCE_DATE_EPOCH=$epoch "$from/signer-eif" build "${arguments[@]}" --output "$image.part" > /dev/null ||
        die "signer-eif could not build the image: see above"
    mv "$image.part" "$image"
}

# refuse_other_modules FOLDER: it is about to be emptied, and must hold nothing but what was put there.
refuse_other_modules() {
    [ -d "$1" ] && [ ! -L "$1" ] &&
        [ -z "$(find "$1" -mindepth 1 ! \( -type f -name '[0-9][0-9]-*.ko' \) -print -quit)" ] ||
        die "$1 is not what --parts makes, and would be deleted" "choose another folder with --output"
}

# install_parts FOLDER: what an image is assembled from, modules numbered in their order.
install_parts() {
    local number=0 module
    [ ! -e "$1/modules" ] && [ ! -L "$1/modules" ] || refuse_other_modules "$1/modules"
    temporary_folder kernel "$cache"
    unpack_kernel "$kernel"
    rm -rf "$1/modules"
    mkdir "$1/modules"
    for module in "${modules[@]}"; do
        install -m 644 "$kernel/$module.ko" "$(printf '%s/modules/%02d-%s.ko' "$1" "$number" "$module")"
        number=$((number + 1))
    done
    install -m 644 "$kernel/vmlinuz" "$1/kernel"
    printf '%s' "${cmdline:-$production_cmdline}" > "$1/cmdline"
    install -m 755 "$programs/init" "$1/init"
    install -m 755 "$programs/enclave" "$1/signer-enclave"
}

build_image() {
    local to=$1
    temporary_folder kernel "$cache"
    unpack_kernel "$kernel"
    step "assembling the image"
    image=$to/nitro-signer.eif
    # An image that cannot be built leaves no older one's papers behind.
    rm -f "$image" "$to/measurements.json" "$to/manifest.json"
    image_of "$programs" "$image"
    measure_image "$to"
    write_manifest "$to"
}

# measure_image FOLDER: measurements.json, of the file as it lies there.
measure_image() {
    "$programs/signer-eif" measure "$image" --json > "$1/measurements.json.part" || die "$image cannot be measured"
    local pcr
    for pcr in PCR0 PCR1 PCR2; do
        pcr_of "$pcr" "$1/measurements.json.part" > /dev/null
    done
    mv "$1/measurements.json.part" "$1/measurements.json"
}

# write_manifest FOLDER: what the image is and how to build it again, for people to sign.
write_manifest() {
    local to=$1 list command=scripts/build-eif changes= file separator='['
    temporary_folder list "$cache"
    {
        while read -r _ name version sha256 _; do
            printf '%s{"name":%s,"version":%s,"sha256":"%s"}' "$separator" "$(json_text "$name")" "$(json_text "$version")" "$sha256"
            separator=$',\n'
        done < <(locked_packages)
        printf ',\n{"name":"rust","version":"%s","sha256":"%s"}]\n' "$(locked_value rust-release)" "$(locked_value rust-files)"
    } > "$list/inputs.json"
    [ "$mode" != nitro-cli ] || command+=" --nitro-cli"
    [ -z "$development" ] || command+=" --development"
    [ "${commit%+changes}" = "$commit" ] || changes=" (with changes that are not committed)"
    local arguments=(--image "$image" --commit "${commit%+changes}" --inputs "$list/inputs.json"
        --toolchain "rustc $(locked_value rust-release) ($(locked_value rust-commit))" --build-command "$command$changes")
    if [ "$mode" = nitro-cli ]; then
        # Its ramdisks are of another form; there are no roots in it but Amazon's.
        arguments+=(--nitro-cli "$nitro_cli_version" --kind production)
    fi
    for file in "${configs[@]}"; do
        arguments+=(--config "$file")
    done
    rm -f "$to/manifest.json"
    "$programs/signer-eif" manifest create "${arguments[@]}" --output "$to/manifest.json" > /dev/null ||
        die "signer-eif could not write the manifest: see above"
}

# pcr_of NAME FILE: one PCR of nitro-cli's JSON or signer-eif's; 96 hexadecimal digits and not zero.
pcr_of() {
    local value
    value=$(tr -d ' \t\r\n' < "$2" | grep -oE "\"$1\":\"[0-9a-fA-F]*\"" | cut -d '"' -f 4 | tr 'A-F' 'a-f')
    [[ $value =~ ^[0-9a-f]{96}$ ]] || die "$2 has no single $1 of 96 hexadecimal digits"
    [[ $value =~ [1-9a-f] ]] || die "$2 says that $1 is zero: that is debug mode, and no measurement"
    printf '%s' "$value"
}

report_image() {
    local to=$1 pcr separator=
    if [ -n "$json" ]; then
        printf '{"image":%s,"sha256":"%s","bytes":%s,"commit":%s,"manifest":%s,"measurements":{' "$(json_text "$image")" \
            "$(digest_of "$image")" "$(stat -c %s "$image")" "$(json_text "$commit")" "$(json_text "$to/manifest.json")"
        for pcr in PCR0 PCR1 PCR2 ${signing_key:+PCR8}; do
            printf '%s"%s":"%s"' "$separator" "$pcr" "$(pcr_of "$pcr" "$to/measurements.json")"
            separator=,
        done
        printf '}}\n'
        return
    fi
    printf 'image     %s\nsha256    %s\nbytes     %s\ncommit    %s\n' "$image" "$(digest_of "$image")" "$(stat -c %s "$image")" "$commit"
    for pcr in PCR0 PCR1 PCR2 ${signing_key:+PCR8}; do
        printf '%s      %s\n' "$pcr" "$(pcr_of "$pcr" "$to/measurements.json")"
    done
    printf 'manifest  %s\n' "$to/manifest.json"
}
