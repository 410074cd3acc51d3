//! The enclave's service without any transport: an enclave in this process, asked by a function call.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use signer_enclave::{
    api::{self, objects::Objects},
    attestation::Nsm,
    boot::{Adoption, Enclave},
    clock::Clock,
    events,
    kms::{Kms, Trust},
};
use signer_shared::{
    address::Address,
    message::{ApiRequest, Object, Response},
};

use super::{
    Error, cpu,
    kind::{Checks, Work},
    latency::Latencies,
    report::Measurement,
};
use crate::{
    measurements::Measurements,
    nsm::{NsmOptions, SoftwareNsm},
    pki::AttestationAuthority,
    stack::{Stack, binary, read_store},
};

/// A ready enclave.
pub(super) struct Service {
    enclave: Arc<Enclave>,
    objects: Vec<Object>,
}

impl Service {
    /// Boots like the stack's own enclave, over the same KMS, host and store.
    pub(super) async fn start(stack: &Stack, bundle: &str) -> Result<Self, Error> {
        let authority = Arc::new(AttestationAuthority::load_or_create(&stack.path(""))?);
        let Measurements { pcr0, pcr1, pcr2 } =
            Measurements::of_image(&fs::read(binary("emulated-enclave"))?);
        let device = SoftwareNsm::new(authority, NsmOptions { pcr0, pcr1, pcr2, ..NsmOptions::default() });
        let (nsm, clock) = (Nsm::new(Arc::new(device)), Clock::default());
        let trust = Trust::of_image(&fs::read(stack.path("kms-roots.pem"))?)?;
        let socket = |name: &str| Address::Unix(stack.path(name));
        let kms =
            Kms::new(nsm.clone(), clock.clone(), &trust, socket("kms.sock"), socket("credentials.sock"))?;
        // Nobody reads its log: what does not fit the queue is dropped.
        let (events, _) = events::channel();
        let enclave = Arc::new(Enclave::start(nsm, clock, events, kms, trust).await?);

        let store = read_store(&stack.path("store"));
        let objects: Vec<Object> =
            store.into_iter().map(|(name, content)| Object { name, content: Some(content.into()) }).collect();
        let configuration = stack.configuration_envelope.as_bytes();
        let given = Objects::new(objects.clone())?;
        match enclave.provision(configuration, bundle.as_bytes(), &given).await? {
            Adoption::InForce { missing } if missing.is_empty() => Ok(Self { enclave, objects }),
            _ => Err("the enclave in this process does not become ready".into()),
        }
    }

    /// Asks without pause, one request at a time.
    pub(super) async fn measure(&self, work: &Work, seconds: Duration) -> Result<Measurement, Error> {
        let mut checks = Checks::default();
        // The first request brings the wallet, and its key into the cache.
        let (status, body) = self.ask(work, 0, self.objects.clone()).await?;
        checks.note(work, 0, status, &body);
        let warm = Instant::now() + seconds / 10;
        let mut number = 0;
        while Instant::now() < warm {
            number += 1;
            self.ask(work, number, Vec::new()).await?;
            self.store_log(number)?;
        }
        let mut latencies = Latencies::default();
        let (began, cpu_before) = (Instant::now(), cpu::own()?);
        let mut signatures = 0;
        while began.elapsed() < seconds {
            number += 1;
            let start = Instant::now();
            let (status, body) = self.ask(work, number, Vec::new()).await?;
            latencies.add(start.elapsed());
            signatures += 1;
            self.store_log(number)?;
            checks.note(work, number, status, &body);
        }
        let (elapsed, cpu) = (began.elapsed(), cpu::own()?.saturating_sub(cpu_before));
        let (verified, errors, first) = checks.verify(work);
        let measured = Measurement::alone("in process", work.kind, signatures, elapsed, cpu, latencies);
        Ok(measured.with_checks(verified, errors, first))
    }

    /// Says that the audit log is stored, from time to time: else nothing is signed any more.
    fn store_log(&self, number: u64) -> Result<(), Error> {
        if !number.is_multiple_of(2000) {
            return Ok(());
        }
        let mut stored = self.enclave.audit().stored().map(|head| head.sequence);
        loop {
            let page = self.enclave.audit_page(stored)?;
            let count = u64::try_from(page.records.len())?;
            if count == 0 {
                return Ok(());
            }
            stored = Some(page.first + count - 1);
        }
    }

    async fn ask(&self, work: &Work, number: u64, objects: Vec<Object>) -> Result<(u16, Vec<u8>), Error> {
        let request = ApiRequest {
            method: "POST".to_owned(),
            path: work.path(),
            headers: Vec::new(),
            body: work.body(number).into(),
            objects,
            listing: None,
        };
        match api::handle(&self.enclave, request).await {
            Response::Api(response) => Ok((response.status, response.body.into_vec())),
            other => Err(format!("the service answers {other:?}").into()),
        }
    }
}
