//! `scripts/build-eif --nitro-cli`, from the programs on.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use crate::image::{self, Folder, SIGNER_EIF};
use crate::program;

/// What the script has done before: the enclave is compiled.
struct Build {
    folder: Folder,
}

/// Prints what it measures, with a docker image that is there.
const GOOD: &str = r#"cp "$STATE/other.eif" "$out"; cat "$STATE/printed""#;

impl Build {
    fn new() -> Self {
        let folder = Folder::new();
        let path = folder.path();
        for name in ["programs", "cache", "output", "image"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        symlink(SIGNER_EIF, path.join("programs/signer-eif")).unwrap();
        fs::write(path.join("programs/enclave"), "the enclave").unwrap();
        image::build(&path.join("image"), "as nitro-cli packs it", &path.join("other.eif"), &[]);
        program(
            &path.join("bin/docker"),
            r#"echo "docker $*" >> "$STATE/calls"
            for context; do :; done
            [ "$1" = build ] && cmp -s "$context/enclave" "$STATE/programs/enclave" && grep -q '^FROM scratch$' "$context/Dockerfile" &&
                [ "$(ls "$context" | tr '\n' ' ')" = "Dockerfile enclave " ] || exit 1
            touch "$STATE/built""#,
        );
        let build = Self { folder };
        fs::write(path_of(&build, "printed"), build.measured("other.eif")).unwrap();
        build.nitro_cli(GOOD);
        build
    }

    /// As nitro-cli prints it.
    fn measured(&self, eif: &str) -> String {
        let output =
            Command::new(SIGNER_EIF).args(["measure", "--json"]).arg(path_of(self, eif)).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        serde_json::to_string_pretty(&serde_json::json!({ "Measurements": json["Measurements"] })).unwrap()
    }

    /// A nitro-cli whose `build-enclave` does this; `$out` is where the image goes.
    fn nitro_cli(&self, build_enclave: &str) {
        program(
            &path_of(self, "bin/nitro-cli"),
            &format!(
                r#"echo "nitro-cli $*" >> "$STATE/calls"
                [ "$1" != --version ] || {{ echo "Nitro CLI 1.4.2"; exit 0; }}
                [ -e "$STATE/built" ] || exit 1
                while [ $# -gt 0 ]; do [ "$1" != --output-file ] || out=$2; shift; done
                echo "Start building the Enclave Image..." >&2
                {build_enclave}"#
            ),
        );
    }

    fn prints(&self, text: &str) {
        fs::write(path_of(self, "printed"), text).unwrap();
    }

    fn run(&self, settings: &str) -> Output {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let path = format!("{}:{}", path_of(self, "bin").display(), std::env::var("PATH").unwrap());
        // The script's own parts; the manifest is not written, for it names what was not built here.
        let script = format!(
            r#"set -euo pipefail
            root={root} cache=$STATE/cache programs=$STATE/programs epoch=1700000000 signing_key= certificate= kms_roots=
            cmdline= json= commit=c
            for part in common image nitro-cli; do . "$root/eif/build/$part.sh"; done
            trap forget_temporary EXIT
            write_manifest() {{ echo "nitro-cli $nitro_cli_version" > "$1/manifest.json"; }}
            {settings}
            build_with_nitro_cli "$STATE/output"
            report_image "$STATE/output""#
        );
        Command::new("bash")
            .args(["-c", &script])
            .env("PATH", path)
            .env("STATE", self.folder.path())
            .output()
            .unwrap()
    }
}

fn path_of(build: &Build, name: &str) -> std::path::PathBuf {
    build.folder.path().join(name)
}

/// Fails with this reason, and leaves no image that could be taken for one.
fn fails(build: &Build, settings: &str, reason: &str) {
    let output = build.run(settings);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(reason), "{said}");
    assert!(!path_of(build, "output/nitro-signer.eif").exists(), "{said}");
    assert!(!path_of(build, "output/manifest.json").exists(), "{said}");
}

#[test]
fn an_image_that_measures_what_nitro_cli_printed_is_taken() {
    let build = Build::new();
    let output = build.run("");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(path_of(&build, "output/manifest.json")).unwrap(), "nitro-cli 1.4.2\n");
    assert_eq!(
        fs::read(path_of(&build, "output/nitro-signer.eif")).unwrap(),
        fs::read(path_of(&build, "other.eif")).unwrap()
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("PCR0"), "{output:?}");
    let calls = fs::read_to_string(path_of(&build, "calls")).unwrap();
    assert!(calls.contains("nitro-cli build-enclave --docker-uri nitro-signer:build-"), "{calls}");
    assert!(fs::read_dir(path_of(&build, "cache")).unwrap().next().is_none(), "temporary folders are left");
}

#[test]
fn a_missing_wrong_or_zero_pcr_is_refused() {
    for pcr in ["PCR0", "PCR1", "PCR2"] {
        let build = Build::new();
        let printed = fs::read_to_string(path_of(&build, "printed")).unwrap();
        build.prints(&printed.replace(pcr, "PCR7"));
        fails(&build, "", &format!("printed no usable {pcr}"));

        let at = printed.find(pcr).unwrap() + pcr.len() + "\": \"".len();
        let value = &printed[at..at + 96];
        build.prints(&printed.replace(value, &value[..94]));
        fails(&build, "", &format!("printed no usable {pcr}"));
        build.prints(&printed.replacen(value, &"0".repeat(96), 1));
        fails(&build, "", &format!("{pcr} is zero"));
        build.prints(&printed.replacen(value, &"a".repeat(96), 1));
        fails(&build, "", &format!("printed another {pcr}"));
    }
}

#[test]
fn garbage_and_silence_are_refused() {
    for printed in ["", "Enclave Image successfully created.", "{\"Measurements\": {}}", "[]"] {
        let build = Build::new();
        build.prints(printed);
        fails(&build, "", "printed no usable PCR0");
    }
    let build = Build::new();
    build.nitro_cli(r#"echo "not an image" > "$out"; cat "$STATE/printed""#);
    fails(&build, "", "what nitro-cli wrote cannot be measured");
    build.nitro_cli(r#"cat "$STATE/printed""#);
    fails(&build, "", "wrote no image");
}

#[test]
fn failures_show_what_was_said() {
    let build = Build::new();
    build.nitro_cli(r#"cp "$STATE/other.eif" "$out"; cat "$STATE/printed"; echo "[ E48 ] EIF building error" >&2; exit 48"#);
    fails(&build, "", "[ E48 ] EIF building error");

    let build = Build::new();
    program(&path_of(&build, "bin/docker"), "echo no docker daemon >&2; exit 1");
    fails(&build, "", "no docker daemon");
    assert!(!path_of(&build, "calls").exists_and_contains("build-enclave"));
}

#[test]
fn a_signing_that_failed_quietly_is_refused() {
    const SIGN: &str = "signing_key=/keys/key.pem certificate=/keys/certificate.pem";
    // Exit status 0, no PCR8, an image without signature.
    let build = Build::new();
    fails(&build, SIGN, "printed no usable PCR8");
    // It says that it signed, and did not.
    let printed = fs::read_to_string(path_of(&build, "printed")).unwrap();
    build.prints(&printed.replacen("\"PCR0\"", &format!("\"PCR8\": \"{}\", \"PCR0\"", "a".repeat(96)), 1));
    fails(&build, SIGN, "has no PCR8");
}

trait Contains {
    fn exists_and_contains(&self, text: &str) -> bool;
}

impl Contains for std::path::PathBuf {
    fn exists_and_contains(&self, text: &str) -> bool {
        fs::read_to_string(self).is_ok_and(|found| found.contains(text))
    }
}
