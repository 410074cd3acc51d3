//! A program's output, in lines that do nothing to a console.

use std::fmt::Write;

/// The most bytes of a line that are kept; the rest of it is counted.
pub const LONGEST: usize = 256;

/// Cuts output into lines.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    cut: usize,
}

impl Lines {
    /// Takes the next bytes and hands out each line that they end: escaped, without its newline.
    pub fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end(&mut line);
            } else if self.begun.len() < LONGEST {
                self.begun.push(*byte);
            } else {
                self.cut = self.cut.saturating_add(1);
            }
        }
    }

    /// The output is over: hands out a last line that has no newline.
    pub fn finish(&mut self, mut line: impl FnMut(&str)) {
        if !self.begun.is_empty() {
            self.end(&mut line);
        }
    }

    fn end(&mut self, line: &mut impl FnMut(&str)) {
        let mut text = escaped(&self.begun, usize::MAX);
        if self.cut > 0 {
            let _ = write!(text, " ({} more bytes)", self.cut);
        }
        line(&text);
        self.begun.clear();
        self.cut = 0;
    }
}

/// At most `most` bytes of a text, everything but printable ASCII escaped: a console is a terminal.
pub fn escaped(text: &[u8], most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for byte in text.iter().take(most) {
        if *byte == b' ' || byte.is_ascii_graphic() {
            shown.push(char::from(*byte));
        } else {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.feed(chunk, |line| found.push(line.to_owned()));
        }
        lines.finish(|line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn lines_are_found_across_chunks() {
        assert_eq!(lines(&[b"one\ntw", b"o", b"\n\nlast"]), ["one", "two", "", "last"]);
        assert!(lines(&[b""]).is_empty());
    }

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        assert_eq!(
            lines(&["a\x1b[2J\r\t\u{9b}ä\x7f\0\n".as_bytes()]),
            ["a\\x1b[2J\\x0d\\x09\\xc2\\x9b\\xc3\\xa4\\x7f\\x00"]
        );
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        let long = "x".repeat(LONGEST + 7);
        let expected = format!("{} (7 more bytes)", "x".repeat(LONGEST));
        assert_eq!(lines(&[long.as_bytes(), b"\nshort\n"]), [expected.as_str(), "short"]);
    }
}
