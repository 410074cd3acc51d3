//! The device itself, behind a trait of one function that speaks its own protocol, so that an
//! emulator replaces the hardware and nothing of our code.

use std::io;

use aws_nitro_enclaves_nsm_api::{
    api::{Request, Response},
    driver,
};

/// Something that answers NSM requests. Calls block.
pub trait NsmDevice: Send + Sync + 'static {
    /// Carries out one request.
    fn process(&self, request: Request) -> Response;
}

/// `/dev/nsm`, which exists inside Nitro enclaves only.
#[derive(Debug)]
pub struct NitroNsm {
    descriptor: i32,
}

impl NitroNsm {
    /// Opens the device.
    pub fn open() -> io::Result<Self> {
        match driver::nsm_init() {
            descriptor if descriptor >= 0 => Ok(Self { descriptor }),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "/dev/nsm cannot be opened")),
        }
    }
}

impl NsmDevice for NitroNsm {
    fn process(&self, request: Request) -> Response {
        driver::nsm_process_request(self.descriptor, request)
    }
}

impl Drop for NitroNsm {
    fn drop(&mut self) {
        driver::nsm_exit(self.descriptor);
    }
}
