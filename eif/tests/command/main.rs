//! The command `signer-eif`, run as people run it.

mod scene;

use std::{fs, path::Path};

use scene::{Scene, run};
use serde_json::Value;
use signer_eif::{
    contents::{ENCLAVE, KMS_ROOTS},
    image::Image,
    ramdisk,
};

#[test]
fn the_same_inputs_give_the_same_image_anywhere() {
    let (one, other) = (Scene::new("same-1"), Scene::new("same-2"));
    let [first, second] = [&one, &other].map(|scene| {
        scene.build(&[]).done();
        fs::read(scene.path("image.eif")).unwrap()
    });
    assert_eq!(first, second);
    let image = Image::parse(&first).unwrap();
    let files: Vec<Vec<String>> = image
        .ramdisks()
        .map(|bytes| ramdisk::list(bytes).unwrap().entries.into_iter().map(|entry| entry.path).collect())
        .collect();
    let boot = [
        "dev",
        "dev/console",
        "init",
        "modules",
        "modules/00-b.ko",
        "modules/01-a.ko",
        "proc",
        "run",
        "sys",
        "tmp",
    ];
    assert_eq!(files, [&boot[..], &["bin", ENCLAVE.trim_start_matches('/')]]);
    assert_eq!(image.cmdline(), b"reboot=k panic=30 pci=off console=ttyS0 random.trust_cpu=on");
}

#[test]
fn what_build_prints_is_what_measure_prints() {
    let scene = Scene::new("measure");
    let built = scene.build(&["--json"]).done();
    let measured = run(&["measure", &scene.text("image.eif"), "--json"]).done();
    let (built, mut measured) = (built.json(), measured.json());
    assert_eq!(measured["CheckCRC"], true);
    assert_eq!(measured["IsSigned"], false);
    assert_eq!(measured["Kind"], "production");
    assert_eq!(measured["Measurements"]["HashAlgorithm"], "Sha384 { ... }");
    assert_eq!(measured["Measurements"]["PCR0"].as_str().unwrap().len(), 96);
    assert_eq!(measured["Metadata"]["BuildMetadata"]["BuildTime"], "1970-01-01T00:00:00Z");
    assert_eq!(measured["Sections"].as_array().unwrap().len(), 5);
    measured["File"] = scene.text("image.eif").into();
    assert_eq!(built, measured);

    let human = run(&["measure", &scene.text("image.eif")]).done();
    assert!(human.out.contains(built["Measurements"]["PCR2"].as_str().unwrap()));
    assert!(human.out.contains("production"));
}

#[test]
fn metadata_take_their_time_from_the_environment_and_are_not_measured() {
    let scene = Scene::new("epoch");
    let plain = scene.build(&["--json"]).done().json();
    let dated = scene.build_at(Some("1767225600"), &["--json", "--force", "--name", "other"]).done().json();
    assert_eq!(dated["Metadata"]["BuildMetadata"]["BuildTime"], "2026-01-01T00:00:00Z");
    assert_eq!(dated["Metadata"]["ImageName"], "other");
    assert_eq!(plain["Measurements"], dated["Measurements"]);
    assert_ne!(plain["SHA256"], dated["SHA256"]);
    let wrong = scene.build_at(Some("yesterday"), &["--force"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("SOURCE_DATE_EPOCH"));
}

#[test]
fn roots_make_a_development_image() {
    let scene = Scene::new("roots");
    let certificate = rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.pem();
    scene.write("roots.pem", certificate.as_bytes());
    let built = scene.build(&["--json", "--kms-roots", &scene.text("roots.pem")]).done();
    assert_eq!(built.json()["Kind"], "development");
    let bytes = fs::read(scene.path("image.eif")).unwrap();
    let image = Image::parse(&bytes).unwrap();
    let application = ramdisk::list(image.ramdisks().nth(1).unwrap()).unwrap();
    assert!(application.entries.iter().any(|entry| entry.path == KMS_ROOTS.trim_start_matches('/')));

    scene.write("roots.pem", b"no certificate");
    let refused = scene.build(&["--force", "--kms-roots", &scene.text("roots.pem")]);
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("no PEM file"));
}

#[test]
fn a_signed_image_has_a_pcr8_and_its_signature_is_checked() {
    let scene = Scene::new("signed");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    scene.write("certificate.pem", certificate.pem().as_bytes());
    scene.write_secret("key.pem", key.serialize_pem().as_bytes());
    let (key, certificate) = (scene.text("key.pem"), scene.text("certificate.pem"));
    let options = ["--json", "--force", "--signing-key", &key, "--signing-certificate", &certificate];
    let unsigned = scene.build(&["--json"]).done().json();
    let built = scene.build(&options).done().json();
    assert_eq!(built["SignatureCheck"], true);
    assert_eq!(built["Measurements"]["PCR8"].as_str().unwrap().len(), 96);
    assert_eq!(built["Measurements"]["PCR0"], unsigned["Measurements"]["PCR0"]);
    let signed = fs::read(scene.path("image.eif")).unwrap();
    scene.build(&options).done();
    assert_eq!(fs::read(scene.path("image.eif")).unwrap(), signed);

    // The same signature in front of another kernel.
    let mut other = signed.clone();
    other[560] ^= 1;
    scene.write("other.eif", &other);
    let measured = run(&["measure", &scene.text("other.eif"), "--json"]);
    assert_eq!(measured.status, 1);
    assert_eq!(measured.json()["SignatureCheck"], false);
    assert_eq!(measured.json()["CheckCRC"], false);

    let half = scene.build(&["--force", "--signing-key", &key]);
    assert_eq!(half.status, 2);
}

#[test]
fn bad_files_end_with_a_message_and_1() {
    let scene = Scene::new("bad");
    scene.build(&[]).done();
    let image = fs::read(scene.path("image.eif")).unwrap();
    let mut damaged = image.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let cases: [(&[u8], &str); 4] = [
        (b"", "ends inside the header"),
        (b"\x7fELF and more", "no enclave image"),
        (&image[..image.len() - 1], "outside the file"),
        (&damaged, ""),
    ];
    for (bytes, message) in cases {
        scene.write("bad.eif", bytes);
        let measured = run(&["measure", &scene.text("bad.eif")]);
        assert_eq!(measured.status, 1);
        assert!(measured.err.contains(message), "{}", measured.err);
    }
    assert!(run(&["measure", &scene.text("bad.eif")]).out.contains("does NOT hold"));
    assert_eq!(run(&["measure", "/nowhere.eif"]).status, 1);
    // Never over what is there, unless that is asked for.
    let again = scene.build(&[]);
    assert_eq!(again.status, 1);
    assert!(again.err.contains("--force"));
    scene.write("b.ko", b"\xfd7zXZ\0...");
    assert!(scene.build(&["--force"]).err.contains("decompress it"));
}

#[test]
fn a_manifest_is_made_signed_and_verified() {
    let scene = Scene::new("manifest");
    let image = scene.build(&["--json"]).done().json();
    scene.write(
        "inputs.json",
        format!(r#"[{{"name":"linux","version":"6.12","sha256":"{}"}}]"#, "ab".repeat(32)).as_bytes(),
    );
    let (file, eif) = (scene.text("manifest.json"), scene.text("image.eif"));
    let create = |commit: &str| {
        run(&[
            "manifest",
            "create",
            "--image",
            &eif,
            "--commit",
            commit,
            "--toolchain",
            "rustc 1.95.0",
            "--build-command",
            "scripts/build-eif",
            "--inputs",
            &scene.text("inputs.json"),
            "--configuration",
            &"cd".repeat(48),
            "--output",
            &file,
            "--json",
        ])
    };
    assert!(create("main").err.contains("full commit"));
    let created = create(&"0f".repeat(20)).done().json();
    assert_eq!(created["manifest"]["pcrs"]["PCR0"], image["Measurements"]["PCR0"]);
    assert_eq!(created["manifest"]["kind"], "production");

    let keys = [scene.key("one.pem", 1), scene.key("two.pem", 2), scene.key("three.pem", 3)];
    let verify = |threshold: &str, image: &Path| {
        let [one, two, three] = &keys;
        run(&[
            "manifest",
            "verify",
            "--manifest",
            &file,
            "--signer",
            one,
            "--signer",
            two,
            "--signer",
            three,
            "--threshold",
            threshold,
            "--image",
            image.to_str().unwrap(),
            "--json",
        ])
    };
    let path = scene.path("image.eif");
    assert_eq!(verify("1", &path).status, 1);
    run(&["manifest", "sign", &file, "--key", &scene.text("one.pem")]).done();
    assert_eq!(verify("1", &path).done().json()["verdict"], "pass");
    let short = verify("2", &path);
    assert_eq!((short.status, &short.json()["manifest"]), (1, &Value::Null));
    run(&["manifest", "sign", &file, "--key", &scene.text("two.pem")]).done();
    assert_eq!(verify("2", &path).done().json()["signatures"]["valid"], 2);
    // Without a threshold, all of them.
    let both = ["manifest", "verify", "--manifest", &file, "--signer", &keys[0], "--signer", &keys[1]];
    run(&both).done();
    assert_eq!(run(&[&both[..], &["--signer", &keys[2]]].concat()).status, 1);
    assert_eq!(verify("4", &path).status, 2);
    assert_eq!(verify("0", &path).status, 2);

    scene.write("enclave", b"\x7fELF another");
    scene.build(&["--force"]).done();
    let other = verify("2", &path);
    assert_eq!(other.status, 1);
    let rows = other.json();
    let verdict = |name: &str| {
        let rows = rows["image"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["verdict"].clone()
    };
    assert_eq!(
        (verdict("PCR0"), verdict("PCR1"), verdict("PCR2")),
        ("fail".into(), "pass".into(), "fail".into())
    );
}
