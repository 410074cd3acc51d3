//! The world that requests and rules are about.

use serde_json::{Value, json};
use signer_rules::chain::{Signer, evm::EvmAddress};

use super::Random;

/// Wallets; the first two are `@hot`, the last two `@shared`.
pub(super) const WALLETS: [&str; 3] = [
    "w_00000000000000000000000000000001",
    "w_00000000000000000000000000000002",
    "w_00000000000000000000000000000003",
];

pub(super) const ORIGINS: [&str; 3] = ["hd", "hd", "imported"];

pub(super) const CHAINS: [u64; 3] = [1, 10, 8453];

/// The signing account.
pub(super) const SELF: &str = "0x5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f";

/// Addresses of accounts, tokens, routers, spenders and delegates alike, so that they often meet. The first is the
/// signing account's.
pub(super) const ADDRESSES: [&str; 7] = [
    SELF,
    "0x1111111111111111111111111111111111111111",
    "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "0x52908400098527886e0f7030069857d2e4169ee7",
    "0x000000000022d473030f116ddee9f6b43ac78ba3",
    "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359",
    "0x0000000000000000000000000000000000000000",
];

/// Amounts: small ones, a unit of a token, the most of Permit2, the most of all.
pub(super) const AMOUNTS: [&str; 9] = [
    "0",
    "1",
    "2",
    "5",
    "1000",
    "1000000000000000000",
    "1000000000000000001",
    "1461501637330902918203684832716283019655932542975",
    "115792089237316195423570985008687907853269984665640564039457584007913129639935",
];

pub(super) const TEXTS: [&str; 6] = ["", "hello", "grüezi", "self", "true", "5"];

/// The seed of the signer's Solana address, which no one needs the key of.
const SOLANA_SELF: u8 = 0x5e;

/// Programs that are decoded, then others, of which three verify signatures.
pub(super) const PROGRAMS: [&str; 12] = [
    "11111111111111111111111111111111",
    "ComputeBudget111111111111111111111111111111",
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
    "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
    "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
    "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc",
    "Vote111111111111111111111111111111111111111",
    "Ed25519SigVerify111111111111111111111111111",
    "KeccakSecp256k11111111111111111111111111111",
    "Secp256r1SigVerify1111111111111111111111111",
];

/// Who would sign.
pub fn signer() -> Signer {
    let address: EvmAddress = SELF.parse().expect("an address");
    Signer { evm_address: Some(address), ed25519: Some([SOLANA_SELF; 32]) }
}

/// The bytes of the `n`th account on Solana; 0 is the signer's.
pub(super) fn solana_key(n: usize) -> [u8; 32] {
    [SOLANA_SELF + u8::try_from(n).expect("few"); 32]
}

/// The `n`th account on Solana as text.
pub(super) fn solana(n: usize) -> String {
    bs58::encode(solana_key(n)).into_string()
}

/// How many accounts there are on Solana.
pub(super) const SOLANA_ACCOUNTS: usize = 6;

/// The accounts of Solana as text.
pub(super) fn solana_pool() -> Vec<String> {
    (0..SOLANA_ACCOUNTS).map(solana).collect()
}

/// Functions of contracts, under the names that rules use.
pub(super) const ABIS: [(&str, &[&str]); 3] = [
    (
        "tokens",
        &[
            "transfer(address to, uint256 amount)",
            "transferFrom(address from, address to, uint256 amount)",
            "approve(address spender, uint256 amount)",
            "increaseAllowance(address spender, uint256 addedValue)",
            "safeTransferFrom(address from, address to, uint256 tokenId)",
            "safeTransferFrom(address from, address to, uint256 tokenId, bytes data)",
            "setApprovalForAll(address operator, bool approved)",
            "permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)",
        ],
    ),
    (
        "router",
        &[
            "swap(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline)",
            "exactInputSingle((address tokenIn, address tokenOut, uint24 fee, address recipient, uint256 amountIn) params)",
            "execute(bytes commands, (address token, int128 delta, bytes4[] tags)[] steps, bool strict)",
        ],
    ),
    (
        "odd",
        &[
            "ping()",
            "flags(bool on, int8 delta, bytes4 tag, string note)",
            "grid(uint8[2][] cells, address owner)",
            "deep(((address who, uint64[3] sizes)[] inner, string name) outer, bytes1 last)",
            "note(string[] notes, uint16 count)",
        ],
    ),
];

/// The ABIs as a bundle has them.
pub(super) fn abis() -> Value {
    ABIS.iter().map(|(id, functions)| json!({"id": id, "functions": functions})).collect()
}

/// The clients of every bundle. `backend` proves nothing; roles overlap.
pub fn clients() -> Value {
    let key = |id: &str, seed: u8| {
        let public = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key();
        json!({"id": id, "algorithm": "ed25519", "public_key": hex::encode(public.to_bytes())})
    };
    json!([
        {"id": "backend", "auth": "none", "roles": ["payer"]},
        {"id": "bot", "auth": {"keys": [key("bot-1", 1)]}, "roles": ["payer", "trader"]},
        {"id": "desk", "auth": {"keys": [key("desk-1", 2), key("desk-2", 3)]}, "sessions": {"longest_s": 3600}},
        {"id": "auditor", "auth": {"keys": [key("auditor-1", 4)]}, "roles": ["reader"]},
    ])
}

impl Random {
    pub(super) fn address(&mut self) -> String {
        (*self.pick(&ADDRESSES)).to_owned()
    }

    pub(super) fn amount(&mut self) -> String {
        (*self.pick(&AMOUNTS)).to_owned()
    }
}
