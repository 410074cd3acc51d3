//! The platform configuration registers.

use aws_lc_rs::digest::{Context, SHA384};
use aws_nitro_enclaves_nsm_api::api::ErrorCode;

use super::NsmOptions;

/// Bytes of one register.
pub const PCR_LENGTH: usize = 48;
/// The value of one register: SHA-384.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pcr(pub [u8; PCR_LENGTH]);

/// Registers of the device.
pub(super) const PCR_COUNT: u16 = 32;
/// The first of the registers that belong to the enclave; those below start locked.
const FIRST_OF_ENCLAVE: usize = 16;

impl Pcr {
    /// A register in which only `data` was measured: SHA-384 of 48 zero bytes and `data`.
    pub fn measuring(data: &[u8]) -> Self {
        Self::default().extended_with(data)
    }

    fn extended_with(&self, data: &[u8]) -> Self {
        let mut digest = Context::new(&SHA384);
        digest.update(&self.0);
        digest.update(data);
        Self(digest.finish().as_ref().try_into().expect("SHA-384 has 48 bytes"))
    }

    /// Lower-case hexadecimal, as key policies have it.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    pub(super) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl Default for Pcr {
    /// A register that nothing was measured into.
    fn default() -> Self {
        Self([0; PCR_LENGTH])
    }
}

/// All registers and their locks.
#[derive(Debug)]
pub(super) struct PcrBank([(Pcr, bool); PCR_COUNT as usize]);

impl PcrBank {
    pub(super) fn at_start(options: &NsmOptions) -> Self {
        let mut bank = [(Pcr::default(), false); PCR_COUNT as usize];
        for (_, locked) in &mut bank[..FIRST_OF_ENCLAVE] {
            *locked = true;
        }
        if !options.debug_mode {
            bank[0].0 = options.pcr0;
            bank[1].0 = options.pcr1;
            bank[2].0 = options.pcr2;
        }
        bank[3].0 = options.pcr3.unwrap_or_default();
        bank[4].0 = options.pcr4.unwrap_or_default();
        Self(bank)
    }

    pub(super) fn describe(&self, index: u16) -> Result<(bool, Pcr), ErrorCode> {
        let (value, locked) = self.0.get(usize::from(index)).ok_or(ErrorCode::InvalidIndex)?;
        Ok((*locked, *value))
    }

    pub(super) fn extend(&mut self, index: u16, data: &[u8]) -> Result<Pcr, ErrorCode> {
        let value = self.unlocked(index)?;
        *value.0 = value.0.extended_with(data);
        Ok(*value.0)
    }

    pub(super) fn lock(&mut self, index: u16) -> Result<(), ErrorCode> {
        *self.unlocked(index)?.1 = true;
        Ok(())
    }

    /// Locks the registers `0..range`, whether they were locked or not.
    pub(super) fn lock_range(&mut self, range: u16) -> Result<(), ErrorCode> {
        let registers = self.0.get_mut(..usize::from(range)).ok_or(ErrorCode::InvalidIndex)?;
        for (_, locked) in registers {
            *locked = true;
        }
        Ok(())
    }

    /// The locked registers with their indices: those which attestation documents show.
    pub(super) fn locked(&self) -> impl Iterator<Item = (u16, &Pcr)> {
        (0..).zip(&self.0).filter(|(_, (_, locked))| *locked).map(|(index, (value, _))| (index, value))
    }

    fn unlocked(&mut self, index: u16) -> Result<(&mut Pcr, &mut bool), ErrorCode> {
        match self.0.get_mut(usize::from(index)) {
            None => Err(ErrorCode::InvalidIndex),
            Some((_, true)) => Err(ErrorCode::ReadOnlyIndex),
            Some((value, locked)) => Ok((value, locked)),
        }
    }
}
