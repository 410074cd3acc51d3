//! One id for each request, in every answer and in the log.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::random;

/// The header's name.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 64;

/// The caller's id if it is one that can be shown anywhere, or else a new one.
pub(super) fn of(headers: &HeaderMap) -> String {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_plain(id));
    given.map_or_else(random::hex, str::to_owned)
}

/// The id as the answer's header.
pub(super) fn header(id: &str) -> HeaderValue {
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("unknown"))
}

fn is_plain(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_are_taken_over() {
        let id = |given: &str| of(&HeaderMap::from_iter([(HEADER, HeaderValue::from_str(given).unwrap())]));
        assert_eq!(id("1-abc_D.2"), "1-abc_D.2");
        assert_eq!(id(&"a".repeat(64)).len(), 64);
        for given in ["", "a b", "a=b", &"a".repeat(65)] {
            assert_ne!(id(given), given);
            assert_eq!(id(given).len(), 32);
        }
        assert_eq!(of(&HeaderMap::new()).len(), 32);
    }
}
