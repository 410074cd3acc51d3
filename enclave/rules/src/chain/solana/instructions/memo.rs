//! The memo programs: the data is the text.

use crate::chain::facts::{MemoInstruction, MemoVersion};

pub(super) fn decode(version: MemoVersion, data: &[u8]) -> Option<MemoInstruction> {
    let text = std::str::from_utf8(data).ok()?.to_owned();
    Some(MemoInstruction { version, text })
}
