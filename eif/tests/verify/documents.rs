//! What the auditor's guide says to type exists, with its flags.

use std::process::Command;

const GUIDE: &str = include_str!("../../../docs/audit.md");

#[test]
fn the_auditors_commands_exist_with_their_flags() {
    let mut checked = 0;
    let blocks = GUIDE.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    for line in blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("signer-eif ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let command = words.iter().take_while(|word| !word.starts_with('-') && !word.contains('.'));
        let output =
            Command::new(env!("CARGO_BIN_EXE_signer-eif")).args(command).arg("--help").output().unwrap();
        assert!(output.status.success(), "{line}");
        let help = String::from_utf8(output.stdout).unwrap();
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(
                help.contains(&format!("{flag} ")) || help.contains(&format!("{flag}\n")),
                "{line}: {flag}"
            );
        }
        checked += 1;
    }
    assert_eq!(checked, 5);
}
