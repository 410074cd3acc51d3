//! What a bundle says, in words: the enclave's crate finds them, here they get their place on the screen.

use signer_rules::{
    bundle::{Bundle, Rule},
    policy::{Lint, Severity, describe, lint},
};
use signer_terminal::{Style, clean};

/// One line for a rule: its id, and what it does.
pub(super) fn line(rule: &Rule) -> String {
    clean(&describe(rule))
}

/// What is easily overlooked in a bundle, the gravest first.
pub(super) fn remarks(bundle: &Bundle) -> Vec<Lint> {
    let mut lints = lint(bundle);
    lints.sort_by_key(|lint| std::cmp::Reverse(lint.severity));
    lints
}

/// A remark on one line.
pub(super) fn remark_line(remark: &Lint, style: Style) -> String {
    let label = match remark.severity {
        Severity::Error => style.bad("error:"),
        Severity::Warning => style.caution("warning:"),
        Severity::Note => style.bold("note:"),
    };
    match &remark.rule {
        Some(rule) => format!("{label} rule {rule} {}", clean(&remark.message)),
        None => format!("{label} {}", clean(&remark.message)),
    }
}
