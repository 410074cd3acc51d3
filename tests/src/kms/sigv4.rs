//! AWS Signature Version 4, from the verifier's side, with a canonicalisation of its own.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use hyper::header::HeaderName;
use hyper::http::request::Parts;

use super::error::KmsError;
use super::time::{parse_amz_date, rfc3339};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Largest difference between the signer's clock and ours, in seconds.
const SKEW: u64 = 300;

/// An `Authorization` header taken apart.
#[derive(Debug)]
pub(super) struct Authorization<'a> {
    pub(super) access_key_id: &'a str,
    scope: Scope<'a>,
    signed_headers: &'a str,
    signature: Vec<u8>,
    /// `X-Amz-Date`, as text and in seconds since the epoch.
    date: (&'a str, u64),
}

#[derive(Debug)]
struct Scope<'a> {
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads what `request` says about who signed it; verifies nothing.
    pub(super) fn read(request: &'a Parts) -> Result<Self, KmsError> {
        let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header("authorization").ok_or_else(|| {
            KmsError::client("MissingAuthenticationTokenException", "Request is missing Authentication Token")
        })?;
        let rest = authorization
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| incomplete("Unsupported AWS 'algorithm' in Authorization header."))?;
        let field = |name: &str| {
            let mut fields =
                rest.split(',').filter_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
            fields
                .next()
                .ok_or_else(|| incomplete(format!("Authorization header requires '{name}' parameter.")))
        };
        let credential: Vec<_> = field("Credential")?.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = credential[..] else {
            return Err(incomplete("Credential must have exactly 5 slash-delimited elements."));
        };
        let amz_date = header("x-amz-date")
            .ok_or_else(|| incomplete("Authorization header requires existence of 'X-Amz-Date' header."))?;
        let seconds =
            parse_amz_date(amz_date).ok_or_else(|| incomplete("Date must be in ISO-8601 'basic format'."))?;
        Ok(Self {
            access_key_id,
            scope: Scope { date, region, service },
            signed_headers: field("SignedHeaders")?,
            signature: hex::decode(field("Signature")?)
                .map_err(|_| mismatch("The signature is not hexadecimal."))?,
            date: (amz_date, seconds),
        })
    }

    /// Verifies that whoever has `secret` signed `request` and `body` for `service` in `region`, at about `now` seconds.
    pub(super) fn verify(
        &self,
        request: &Parts,
        body: &[u8],
        secret: &str,
        (region, service): (&str, &str),
        now: u64,
    ) -> Result<(), KmsError> {
        if !self.date.0.starts_with(self.scope.date) {
            return Err(mismatch(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.",
            ));
        }
        if self.scope.region != region || self.scope.service != service {
            return Err(mismatch(format!("Credential should be scoped to '{region}/{service}'.")));
        }
        if self.date.1.abs_diff(now) > SKEW {
            let (signed, now) = (rfc3339(self.date.1), rfc3339(now));
            return Err(mismatch(format!(
                "Signature expired or not yet current: {signed}, it is now {now}."
            )));
        }
        self.require_signed(request)?;
        let expected = self.string_to_sign(&canonical_request(request, self.signed_headers, body));
        hmac::verify(&self.signing_key(secret), expected.as_bytes(), &self.signature).map_err(|_| {
            mismatch("The request signature we calculated does not match the signature you provided.")
        })
    }

    /// The host and all `X-Amz-…` headers must be among the signed ones.
    fn require_signed(&self, request: &Parts) -> Result<(), KmsError> {
        let signed: BTreeSet<_> = self.signed_headers.split(';').collect();
        let unsigned = std::iter::once("host")
            .chain(request.headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-")))
            .find(|name| !signed.contains(name));
        match unsigned {
            Some(name) => {
                Err(mismatch(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")))
            }
            None => Ok(()),
        }
    }

    fn string_to_sign(&self, canonical_request: &str) -> String {
        let Scope { date, region, service } = &self.scope;
        let hash = hex_sha256(canonical_request.as_bytes());
        format!("{ALGORITHM}\n{}\n{date}/{region}/{service}/aws4_request\n{hash}", self.date.0)
    }

    fn signing_key(&self, secret: &str) -> hmac::Key {
        let first = format!("AWS4{secret}").into_bytes();
        let last = [self.scope.date, self.scope.region, self.scope.service, "aws4_request"].iter().fold(
            first,
            |key, part| {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
            },
        );
        hmac::Key::new(hmac::HMAC_SHA256, &last)
    }
}

fn canonical_request(request: &Parts, signed_headers: &str, body: &[u8]) -> String {
    let mut text = format!("{}\n{}\n{}\n", request.method, canonical_path(request), canonical_query(request));
    for name in signed_headers.split(';') {
        let values: Vec<_> =
            request.headers.get_all(name).iter().map(|value| collapse(value.as_bytes())).collect();
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let _ = write!(text, "\n{signed_headers}\n{}", hex_sha256(body));
    text
}

/// The path encoded once more than it already is, as every service but S3 has it.
fn canonical_path(request: &Parts) -> String {
    let segments: Vec<_> = request.uri.path().split('/').map(percent_encode).collect();
    segments.join("/")
}

/// Parameters sorted by name and value; they come already encoded.
fn canonical_query(request: &Parts) -> String {
    let mut parameters: Vec<_> = request
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    parameters.sort_unstable();
    let parameters: Vec<_> = parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    parameters.join("&")
}

fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// A header's value without outer spaces, runs of inner spaces made one.
fn collapse(value: &[u8]) -> String {
    String::from_utf8_lossy(value).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hex_sha256(data: &[u8]) -> String {
    hex::encode(digest(&SHA256, data))
}

fn incomplete(message: impl Into<String>) -> KmsError {
    KmsError::client("IncompleteSignatureException", message)
}

fn mismatch(message: impl Into<String>) -> KmsError {
    KmsError::client("InvalidSignatureException", message)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    // AWS's published examples are all signed with this key at this moment.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const NOW: u64 = 1_440_938_160;

    fn signed(
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        scope: &str,
        names: &str,
        signature: &str,
    ) -> Parts {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{scope}/aws4_request, SignedHeaders={names}, \
             Signature={signature}"
        );
        let mut request = Request::builder().method(method).uri(uri).header("x-amz-date", "20150830T123600Z");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.header("authorization", authorization).body(()).expect("a request").into_parts().0
    }

    /// The example of the IAM user guide: `ListUsers`.
    fn list_users() -> Parts {
        signed(
            "GET",
            "/?Version=2010-05-08&Action=ListUsers",
            &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
            ],
            "iam",
            "content-type;host;x-amz-date",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        )
    }

    fn check(request: &Parts, service: &str, now: u64) -> Result<(), KmsError> {
        Authorization::read(request)?.verify(request, b"", SECRET, ("us-east-1", service), now)
    }

    #[test]
    fn the_published_iam_example_verifies() {
        let request = list_users();
        let canonical = canonical_request(&request, "content-type;host;x-amz-date", b"");
        assert_eq!(
            hex_sha256(canonical.as_bytes()),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
        );
        check(&request, "iam", NOW).expect("AWS's own signature");
    }

    #[test]
    fn the_published_test_suite_verifies() {
        let host = [("host", "example.amazonaws.com")];
        let vanilla = [
            ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ];
        for (method, signature) in vanilla {
            let request = signed(method, "/", &host, "service", "host;x-amz-date", signature);
            check(&request, "service", NOW).unwrap_or_else(|error| panic!("{method}: {error}"));
        }
    }

    #[test]
    fn whatever_is_signed_cannot_be_changed() {
        let name = |result: Result<(), KmsError>| result.expect_err("changed").code;
        let mut request = list_users();
        request.headers.insert("host", "kms.amazonaws.com".parse().expect("a value"));
        assert_eq!(name(check(&request, "iam", NOW)), "InvalidSignatureException");

        let mut request = list_users();
        request.uri = "/?Action=ListRoles&Version=2010-05-08".parse().expect("a URI");
        assert_eq!(name(check(&request, "iam", NOW)), "InvalidSignatureException");

        let request = list_users();
        let authorization = Authorization::read(&request).expect("well-formed");
        let verify = |body: &[u8], secret: &str, region: &str| {
            authorization.verify(&request, body, secret, (region, "iam"), NOW)
        };
        verify(b"", SECRET, "us-east-1").expect("unchanged");
        for (body, secret, region) in
            [(&b"x"[..], SECRET, "us-east-1"), (b"", "other", "us-east-1"), (b"", SECRET, "eu-west-1")]
        {
            assert_eq!(name(verify(body, secret, region)), "InvalidSignatureException");
        }
    }

    #[test]
    fn clocks_differ_by_five_minutes_at_most() {
        let request = list_users();
        for (now, accepted) in
            [(NOW - 301, false), (NOW - 300, true), (NOW, true), (NOW + 300, true), (NOW + 301, false)]
        {
            assert_eq!(check(&request, "iam", now).is_ok(), accepted, "{now}");
        }
    }

    #[test]
    fn amz_headers_must_be_signed() {
        let mut request = list_users();
        request.headers.insert("x-amz-target", "TrentService.Decrypt".parse().expect("a value"));
        assert_eq!(check(&request, "iam", NOW).expect_err("unsigned").code, "InvalidSignatureException");
    }

    #[test]
    fn incomplete_headers_are_named_so() {
        let mut request = list_users();
        request.headers.insert("authorization", "AWS4-HMAC-SHA256 Credential=a/b".parse().expect("a value"));
        assert_eq!(check(&request, "iam", NOW).expect_err("incomplete").code, "IncompleteSignatureException");
        request.headers.remove("authorization");
        assert_eq!(
            check(&request, "iam", NOW).expect_err("missing").code,
            "MissingAuthenticationTokenException"
        );
    }
}
