//! What limits count.

use ruint::aliases::U256;

use super::{
    solana::{account, facts, plain_transfer, transfer, transfer_checked},
    *,
};
use crate::bundle::TokenId;

const MINT: [u8; 32] = [0x33; 32];

#[test]
fn a_transaction_sends_and_costs() {
    let sent = amounts(&transaction(&json!({})));
    assert_eq!((sent.native, sent.fee), (Some(U256::from(7)), Some(U256::from(42_000))));
    assert_eq!(sent.tokens, TokenAmounts::Known(vec![]));
    let message = describe("evm.message", &SignBody { text: Some("a"), ..SignBody::default() }).unwrap();
    let nothing = Amounts { native: None, fee: None, tokens: TokenAmounts::Known(vec![]) };
    assert_eq!(amounts(&message), nothing);
}

#[test]
fn a_tokens_amount_is_what_is_recognised() {
    let token: TokenId = TOKEN.parse().unwrap();
    let moved = amounts(&call("0xa9059cbb", &[BOB, "64"]));
    assert_eq!(moved.of_token(&token), Some(U256::from(100)));
    assert_eq!(moved.of_token(&BOB.parse().unwrap()), None);
    let malformed = amounts(&call("0xa9059cbb", &[BOB]));
    assert_eq!((&malformed.tokens, malformed.of_token(&token)), (&TokenAmounts::Unknown, None));
    assert_eq!(amounts(&call("0x12345678", &[BOB])).of_token(&token), None);
}

#[test]
fn a_token_is_moved_as_often_as_a_transaction_says() {
    let mint = TokenId::Solana(SolanaAddress::new(MINT));
    let moved = vec![
        transfer(account(MINT), 9),
        transfer_checked(account(MINT), 5),
        transfer_checked(account(MINT), 6),
    ];
    let twice = amounts(&Facts::Solana(facts(moved)));
    assert_eq!((twice.native, twice.fee), (Some(U256::from(9)), Some(U256::from(10_007))));
    assert_eq!(twice.of_token(&mint), Some(U256::from(11)));
    let plain = amounts(&Facts::Solana(facts(vec![transfer_checked(account(MINT), 5), plain_transfer(1)])));
    assert_eq!((plain.native, plain.of_token(&mint)), (Some(U256::ZERO), None));
    let unknown = amounts(&Facts::Solana(facts(vec![Some(transfer(account(MINT), 9)), None])));
    assert_eq!((unknown.native, unknown.tokens), (None, TokenAmounts::Unknown));
}
