//! The host's own way to KMS: the SDK with the instance role's credentials, without an enclave.

use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use signer_tests::{
    kms::{PrincipalSpec, sdk_client},
    stack::{ROLE, Stack},
};

/// A client with the instance role's credentials.
pub(crate) fn of_the_role(stack: &Stack) -> Client {
    client_of(stack, PrincipalSpec::permanent("AKIAROLE", "role-secret", ROLE))
}

/// A client with anybody's credentials.
pub(crate) fn client_of(stack: &Stack, principal: PrincipalSpec) -> Client {
    let root = CertificateDer::from_pem_file(stack.path("kms-roots.pem")).expect("the root");
    sdk_client(stack.kms.address(), &root, principal, "us-east-1").expect("a root certificate")
}

/// KMS's error code.
pub(crate) fn code<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    error.code().unwrap_or_else(|| panic!("no answer of KMS: {error:?}")).to_owned()
}
