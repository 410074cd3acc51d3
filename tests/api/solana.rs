//! Solana messages, made by hand.

/// A legacy message: one lamport from `payer` to somebody.
pub(crate) fn transfer(payer: &[u8; 32]) -> Vec<u8> {
    let mut message = vec![1, 0, 1, 3];
    message.extend([*payer, [0x35; 32], [0; 32], [7; 32]].concat());
    // One instruction: program 2, accounts 0 and 1, twelve bytes of data.
    message.extend([1, 2, 2, 0, 1, 12, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    message
}
