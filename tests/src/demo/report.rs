//! What the demo says: one line a step, for people or for programs.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    time::Instant,
};

use serde::Serialize;
use serde_json::{Value, json};

use super::Error;

/// Width of a step's name.
const NAME: usize = 21;

/// The outcome of a step.
#[derive(Debug)]
pub(super) struct Shown {
    text: String,
    data: Value,
    more: Vec<String>,
}

impl Shown {
    /// A line for people, and an object for programs.
    pub(super) fn new(text: impl Into<String>, data: Value) -> Self {
        Self { text: text.into(), data, more: Vec::new() }
    }

    /// Adds paragraphs for people.
    pub(super) fn with(mut self, more: Vec<String>) -> Self {
        self.more = more;
        self
    }
}

/// A step was not as it must be; the report has said so.
#[derive(Debug)]
pub struct Failed;

/// Standard output.
#[derive(Debug)]
pub struct Report {
    json: bool,
    colour: bool,
}

impl Report {
    /// For programs: one JSON object a line. For people: with colour only on a terminal, unless
    /// `NO_COLOR` is set and not empty.
    pub fn new(json: bool) -> Self {
        Self { json, colour: !json && colour_wanted() }
    }

    /// Carries out a step and tells what came of it.
    pub(super) async fn step<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<(T, Shown), Error>>,
    ) -> Result<T, Failed> {
        let started = Instant::now();
        let result = work.await;
        let elapsed = started.elapsed();
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok((value, shown)) => {
                self.line(true, name, ms, &shown);
                Ok(value)
            }
            Err(error) => {
                let error = error.to_string();
                self.line(false, name, ms, &Shown::new(&error, json!({"error": error})));
                Err(Failed)
            }
        }
    }

    /// Tells something that is no step.
    pub fn note(&self, event: &str, text: &str, data: &Value) {
        if self.json {
            print_json(Event { event }, data);
        } else {
            print(text);
        }
    }

    /// Tells people something that programs do not need.
    pub fn say(&self, text: &str) {
        if !self.json {
            print(text);
        }
    }

    fn line(&self, ok: bool, name: &str, ms: u64, shown: &Shown) {
        if self.json {
            print_json(Head { step: name, ok, ms }, &shown.data);
            return;
        }
        let (mark, code) = if ok { ("✓", "32") } else { ("✗", "1;31") };
        let mark = if self.colour { format!("\x1b[{code}m{mark}\x1b[0m") } else { mark.to_owned() };
        let title = name.replace('_', " ");
        let time = format!("{ms} ms");
        let mut text = format!("{mark} {title:NAME$} {time:>8}  {}", shown.text);
        for line in &shown.more {
            // Writing to a string does not fail.
            let _ = write!(text, "\n\n    {line}");
        }
        print(&text);
    }
}

/// Shows a command as it would be typed.
pub(super) fn show_command(who: &str, words: &[&str]) {
    let line = format!("    {who}$ signerctl {}", words.join(" "));
    if colour_wanted() { print(&format!("\x1b[2m{line}\x1b[0m")) } else { print(&line) }
}

fn colour_wanted() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One line for programs: what every line has, then what this one has.
#[derive(Serialize)]
struct Line<'a, H: Serialize> {
    #[serde(flatten)]
    head: H,
    #[serde(flatten)]
    data: &'a Value,
}

#[derive(Serialize)]
struct Head<'a> {
    step: &'a str,
    ok: bool,
    ms: u64,
}

#[derive(Serialize)]
struct Event<'a> {
    event: &'a str,
}

fn print_json(head: impl Serialize, data: &Value) {
    print(&serde_json::to_string(&Line { head, data }).expect("the data are an object"));
}

// A reader that went away is no error of ours, and println! would panic.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}
