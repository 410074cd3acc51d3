//! Names of sealed objects in the host's store.
//!
//! A name is `KIND/REST`, computable from a request: `keyring/{id}`, `wallet/{name}`,
//! `id/{wallet id}`, `address/{family}/{address}`, `policy/{version}`,
//! `audit/{boot}/{sequence}`, `boot/{boot}`. Names are plain enough to be file names and object-store keys as they are.

/// The longest name, in bytes.
pub const MAX_NAME: usize = 200;

/// Whether `name` may name an object: 2 to 4 segments of `[A-Za-z0-9._-]`, divided by `/`, none
/// empty and none starting with a dot, at most [`MAX_NAME`] bytes.
pub fn is_valid(name: &str) -> bool {
    let segments = name.split('/');
    name.len() <= MAX_NAME
        && (2..=4).contains(&segments.clone().count())
        && segments.into_iter().all(is_segment)
}

/// Whether `prefix` may be listed: a `/` at the end, and valid segments before it.
pub fn is_valid_prefix(prefix: &str) -> bool {
    prefix.strip_suffix('/').is_some_and(|rest| {
        prefix.len() < MAX_NAME && rest.split('/').count() <= 3 && rest.split('/').all(is_segment)
    })
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && !segment.starts_with('.')
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_store() {
        for name in ["wallet/treasury", "address/evm/0xab", "policy/00000000000000000001"] {
            assert!(is_valid(name), "{name}");
        }
        for name in [
            "",
            "wallet",
            "wallet/",
            "/wallet/a",
            "wallet/../a",
            "wallet/.a",
            "wallet//a",
            "a/b/c/d/e",
            "wallet/a b",
            "wallet/ä",
        ] {
            assert!(!is_valid(name), "{name}");
        }
        assert!(is_valid_prefix("wallet/") && is_valid_prefix("address/evm/"));
        assert!(!is_valid_prefix("wallet") && !is_valid_prefix("/") && !is_valid_prefix("../"));
    }
}
