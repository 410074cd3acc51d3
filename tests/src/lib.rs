//! Emulators of what an enclave stands on, for tests and the demo: the Nitro Secure Module ([`nsm`]) and the Key
//! Management Service ([`kms`]), over certificate authorities of our own ([`pki`]). Nothing of this is in the image.

pub mod bench;
pub mod demo;
pub mod kms;
pub mod localstack;
pub mod measurements;
pub mod nsm;
pub mod openapi;
pub mod pki;
pub mod policy;
pub mod stack;
pub mod vectors;
