//! A self-made authority, and certificates by it, for servers that speak TLS.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::process::write_secret;

/// An authority that nobody knows until its certificate is given to them.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let authority = Self {
            folder: tempfile::tempdir()?,
            issuer,
        };
        std::fs::write(authority.certificate(), authority.issuer.pem())
            .context("failed to write the authority's certificate")?;
        Ok(authority)
    }

    /// The PEM file with its certificate, which lies there as long as the authority lives.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Writes `server.pem` and `server.key` for `127.0.0.1` into a folder.
    pub(crate) fn issue(&self, folder: &Path) -> Result<[PathBuf; 2]> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &self.issuer)?;
        let paths = ["server.pem", "server.key"].map(|name| folder.join(name));
        std::fs::write(&paths[0], certificate.pem()).context("failed to write a server's certificate")?;
        write_secret(&paths[1], &key.serialize_pem())?;
        Ok(paths)
    }
}
