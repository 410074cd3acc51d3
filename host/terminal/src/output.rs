//! Everything that is printed goes through here.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _},
    process::ExitCode,
};

use serde_json::Value;

use crate::Failure;

/// The longest answer to a question, in bytes.
const MAX_ANSWER: u64 = 64;

/// What a command found, for people and for programs.
pub struct Report {
    /// Text, without a line feed at its end.
    pub human: String,
    /// One object.
    pub json: Value,
    /// The exit status.
    pub exit: u8,
}

impl Report {
    /// A report of success.
    pub fn new(human: impl Into<String>, json: Value) -> Self {
        Self { human: human.into(), json, exit: 0 }
    }
}

/// Standard output and standard error.
#[derive(Clone)]
pub struct Terminal {
    json: bool,
    out: Style,
    err: Style,
}

impl Terminal {
    /// Looks at what the streams are. `NO_COLOR`, if it is set and not empty, forbids colour.
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            out: Style { colour: wanted && !json && io::stdout().is_terminal() },
            err: Style { colour: wanted && io::stderr().is_terminal() },
        }
    }

    /// How to dress text for standard output.
    pub fn style(&self) -> Style {
        self.out
    }

    /// Prints a warning on standard error, at once.
    pub fn warn(&self, text: &str) {
        eprint_line(&format!("{} {}", self.err.caution("warning:"), clean_lines(text)));
    }

    /// Prints an explanation on standard error, unless a program reads.
    pub fn explain(&self, text: &str) {
        if !self.json {
            eprint_line(text);
        }
    }

    /// Shows something on standard error and asks whether to go on. Whoever cannot be asked has not agreed: `otherwise` says
    /// how to agree beforehand.
    pub fn ask(&self, text: &str, question: &str, otherwise: &str) -> Result<bool, Failure> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::usage("nobody is at a terminal to be asked").hint(otherwise));
        }
        eprint_line(&format!("{text}\n\n{} [y/N] ", self.err.bold(question)));
        let mut answer = String::new();
        io::stdin()
            .lock()
            .take(MAX_ANSWER)
            .read_line(&mut answer)
            .map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Prints the outcome.
    pub fn finish(&self, result: Result<Report, Failure>) -> ExitCode {
        match result {
            Ok(report) => {
                print_line(&if self.json { indented(&report.json) } else { report.human });
                ExitCode::from(report.exit)
            }
            Err(failure) => {
                if self.json {
                    print_line(&indented(&failure.to_json()));
                }
                // An error may quote what it is about: a stranger's file, a server's answer.
                let message = clean_lines(&failure.to_string());
                eprint_line(&format!("{} {message}", self.err.bad("error:")));
                if let Some(advice) = failure.advice() {
                    eprint_line(&format!("{} {}", self.err.bold("what to do:"), clean_lines(advice)));
                }
                ExitCode::from(failure.exit())
            }
        }
    }

    /// Without colours and explanations, whatever the streams are.
    pub fn plain() -> Self {
        Self { json: true, out: Style { colour: false }, err: Style { colour: false } }
    }
}

/// Colours, or none.
#[derive(Clone, Copy)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// What holds: green.
    pub fn good(self, text: &str) -> String {
        self.dress("32", text)
    }

    /// What does not: red.
    pub fn bad(self, text: &str) -> String {
        self.dress("1;31", text)
    }

    /// What needs care: yellow.
    pub fn caution(self, text: &str) -> String {
        self.dress("1;33", text)
    }

    /// What matters.
    pub fn bold(self, text: &str) -> String {
        self.dress("1", text)
    }

    fn dress(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Lines of label and value, in two columns.
pub fn fields(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for (label, value) in rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{label:width$}  {value}");
    }
    text.truncate(text.trim_end().len());
    text
}

/// Text from elsewhere, with everything that could move the cursor, change colours or reorder
/// letters made visible: a hostile host shall not paint a verdict of its own.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        if disturbs(character) {
            cleaned.extend(character.escape_unicode());
        } else {
            cleaned.push(character);
        }
    }
    cleaned
}

/// The same, line by line. The first stands behind its heading; the others are indented, so that none of them passes for a
/// line of ours if the text quotes a stranger.
fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n  ")
}

/// Whether a character could move the cursor, change colours, or reorder letters.
fn disturbs(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// JSON with indentation, harmless to a terminal: what JSON itself does not escape, we do.
pub fn indented(value: &Value) -> String {
    let mut text = String::new();
    for character in format!("{value:#}").chars() {
        // Line feeds are those of the indentation. The others stand in strings only, and none is above U+FFFF.
        if character != '\n' && disturbs(character) {
            // Writing to a string does not fail.
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
}

// A reader that went away (`| head`) is no error of ours, and println! would panic.
fn print_line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

fn eprint_line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_not_obeyed() {
        assert_eq!(clean("a\x1b[2Jb\r\u{202e}c"), "a\\u{1b}[2Jb\\u{d}\\u{202e}c");
        assert_eq!(clean("plain, ünïcode"), "plain, ünïcode");
    }

    #[test]
    fn lines_of_errors_are_cleaned_and_kept() {
        assert_eq!(clean_lines("a\x1b[2J\nb\u{9b}1m\r"), "a\\u{1b}[2J\n  b\\u{9b}1m\\u{d}");
    }

    #[test]
    fn json_is_harmless_and_means_the_same() {
        let value = serde_json::json!({ "k\u{202e}": "\u{9b}2J\u{7f}\u{feff}\n\x1b é" });
        let text = indented(&value);
        assert!(text.chars().all(|character| character == '\n' || !disturbs(character)), "{text:?}");
        assert!(text.contains("\\u009b") && text.contains("\\u202e") && text.contains('é'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn colour_is_optional() {
        assert_eq!(Style { colour: false }.good("ok"), "ok");
        assert_eq!(Style { colour: true }.good("ok"), "\x1b[32mok\x1b[0m");
    }

    #[test]
    fn fields_line_up() {
        assert_eq!(fields(&[("a", "1".into()), ("long", "2".into())]), "a     1\nlong  2");
    }
}
