//! Makes documents of the real shape under a root of our own, and lets a test bend one thing. Whoever includes this file
//! has `signer_eif::verify::Root` in scope.

use std::{ops::Range, sync::LazyLock, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair},
};
use minicbor::Encoder;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, date_time_ymd,
};

use super::Root;

pub(crate) const MODULE_ID: &str = "i-0123456789abcdef0-enc0123456789abcdef";
/// 2026-01-01T00:00:00Z.
pub(crate) const TIME_MS: u64 = 1_767_225_600_000;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The chain of the good document and its signing key, made once.
static GOOD: LazyLock<(Vec<Vec<u8>>, Vec<u8>)> = LazyLock::new(|| {
    let levels = levels();
    (issue(&levels), levels[4].key.serialize_der())
});

/// One certificate to be: root, regional, zonal, instance, leaf.
pub(crate) struct Level {
    pub(crate) params: CertificateParams,
    pub(crate) key: KeyPair,
}

/// The real chain's shape: names, validity, path lengths, key usage.
pub(crate) fn levels() -> Vec<Level> {
    let now = date_time_ymd(2026, 1, 1);
    let ca = |name, limit: Option<u8>, life: Duration| {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(limit.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = now - life / 2;
        params.not_after = now + life / 2;
        level(params)
    };
    let mut leaf = named(MODULE_ID);
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.not_before = now - Duration::from_secs(3);
    leaf.not_after = now + 3 * HOUR;
    vec![
        ca("test.nitro-enclaves", None, 3650 * DAY),
        ca("regional", Some(2), 20 * DAY),
        ca("zonal", Some(1), 6 * DAY),
        ca("instance", Some(0), DAY),
        level(leaf),
    ]
}

/// Signs each level with the one before it, the first with itself. Returns DER, root first, leaf last.
pub(crate) fn issue(levels: &[Level]) -> Vec<Vec<u8>> {
    let root = &levels[0];
    let mut chain = vec![root.params.self_signed(&root.key).unwrap().der().to_vec()];
    for pair in levels.windows(2) {
        let issuer = Issuer::from_params(&pair[0].params, &pair[0].key);
        let certificate = pair[1].params.signed_by(&pair[1].key, &issuer).unwrap();
        chain.push(certificate.der().to_vec());
    }
    chain
}

/// A document in the making.
pub(crate) struct Builder {
    /// Keys of the payload and their encoded values, in order.
    pub(crate) entries: Vec<(&'static str, Vec<u8>)>,
    pub(crate) indefinite: bool,
    pub(crate) protected: Vec<u8>,
    /// The unprotected header, encoded.
    pub(crate) unprotected: Vec<u8>,
    root: Vec<u8>,
    key: Vec<u8>,
}

impl Builder {
    /// A good document.
    pub(crate) fn new() -> Self {
        let (chain, key) = &*GOOD;
        Self::with_chain(chain, key.clone())
    }

    /// A document with this chain, root first and leaf last, signed with this PKCS#8 key.
    pub(crate) fn with_chain(chain: &[Vec<u8>], key: Vec<u8>) -> Self {
        let (leaf, bundle) = chain.split_last().unwrap();
        Self {
            entries: vec![
                ("module_id", text(MODULE_ID)),
                ("digest", text("SHA384")),
                ("timestamp", uint(TIME_MS)),
                ("pcrs", pcrs(0..16)),
                ("certificate", bstr(leaf)),
                ("cabundle", array(bundle)),
                ("public_key", null()),
                ("user_data", bstr(b"data")),
                ("nonce", bstr(b"nonce")),
            ],
            indefinite: false,
            protected: vec![0xa1, 0x01, 0x38, 0x22],
            unprotected: vec![0xa0],
            root: bundle[0].clone(),
            key,
        }
    }

    pub(crate) fn root(&self) -> Root {
        Root::from_der(&self.root).unwrap()
    }

    pub(crate) fn set(&mut self, key: &str, value: Vec<u8>) {
        self.entries.iter_mut().find(|e| e.0 == key).unwrap().1 = value;
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.entries.retain(|e| e.0 != key);
    }

    pub(crate) fn push(&mut self, key: &'static str, value: Vec<u8>) {
        self.entries.push((key, value));
    }

    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut out = Encoder::new(Vec::new());
        if self.indefinite {
            out.begin_map().unwrap();
        } else {
            out.map(self.entries.len() as u64).unwrap();
        }
        for (key, value) in &self.entries {
            out.str(key).unwrap();
            out.writer_mut().extend_from_slice(value);
        }
        if self.indefinite {
            out.end().unwrap();
        }
        out.into_writer()
    }

    pub(crate) fn sign(&self, payload: &[u8]) -> Vec<u8> {
        let mut signed = Encoder::new(Vec::new());
        signed.array(4).unwrap().str("Signature1").unwrap();
        signed.bytes(&self.protected).unwrap().bytes(&[]).unwrap().bytes(payload).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &self.key).unwrap();
        let signature = key.sign(&SystemRandom::new(), signed.writer()).unwrap();
        signature.as_ref().to_vec()
    }

    pub(crate) fn frame(&self, payload: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut out = Encoder::new(Vec::new());
        out.array(4).unwrap().bytes(&self.protected).unwrap();
        out.writer_mut().extend_from_slice(&self.unprotected);
        out.bytes(payload).unwrap().bytes(signature).unwrap();
        out.into_writer()
    }

    /// A document with this payload, signed.
    pub(crate) fn build_with(&self, payload: &[u8]) -> Vec<u8> {
        self.frame(payload, &self.sign(payload))
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        self.build_with(&self.payload())
    }
}

pub(crate) fn level(params: CertificateParams) -> Level {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    Level { params, key }
}

pub(crate) fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    encoded(|e| _ = e.str(value).unwrap())
}

pub(crate) fn uint(value: u64) -> Vec<u8> {
    encoded(|e| _ = e.u64(value).unwrap())
}

pub(crate) fn null() -> Vec<u8> {
    encoded(|e| _ = e.null().unwrap())
}

pub(crate) fn bstr(value: &[u8]) -> Vec<u8> {
    encoded(|e| _ = e.bytes(value).unwrap())
}

pub(crate) fn array(values: &[Vec<u8>]) -> Vec<u8> {
    encoded(|e| {
        e.array(values.len() as u64).unwrap();
        for value in values {
            e.bytes(value).unwrap();
        }
    })
}

/// A map of PCRs, each filled with its number plus one.
pub(crate) fn pcrs(numbers: Range<u8>) -> Vec<u8> {
    let entries: Vec<_> = numbers.map(|n| (u64::from(n), vec![n + 1; 48])).collect();
    pcr_map(&entries)
}

pub(crate) fn pcr_map(entries: &[(u64, Vec<u8>)]) -> Vec<u8> {
    encoded(|e| {
        e.map(entries.len() as u64).unwrap();
        for (number, value) in entries {
            e.u64(*number).unwrap().bytes(value).unwrap();
        }
    })
}

fn encoded(write: impl FnOnce(&mut Encoder<Vec<u8>>)) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder);
    encoder.into_writer()
}
