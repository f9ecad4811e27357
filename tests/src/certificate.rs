//! A certificate for the VIPA, and the authority that signed it.
//!
//! Clients verify it as they would any other: nothing in a lab is told to trust
//! blindly. The keys live as long as the lab.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// The files that servers and clients need.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The authority's certificate: what clients trust.
    pub authority: PathBuf,
    /// The server's certificate, for one address.
    pub certificate: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes an authority and a certificate for `address`, as files in `directory`.
    ///
    /// # Errors
    ///
    /// The files cannot be written.
    pub fn create(address: IpAddr, directory: &Path) -> Result<Self> {
        let mut authority = CertificateParams::default();
        authority
            .distinguished_name
            .push(DnType::CommonName, "lab authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_key = KeyPair::generate()?;
        let signed_authority = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let mut server = CertificateParams::new([address.to_string()])?;
        server
            .distinguished_name
            .push(DnType::CommonName, address.to_string());
        let server_key = KeyPair::generate()?;
        let signed_server = server.signed_by(&server_key, &issuer)?;

        let files = Self {
            authority: directory.join("authority.pem"),
            certificate: directory.join("server.pem"),
            key: directory.join("server.key"),
        };
        write(&files.authority, &signed_authority.pem(), 0o644)?;
        write(&files.certificate, &signed_server.pem(), 0o644)?;
        write(&files.key, &server_key.serialize_pem(), 0o600)?;
        Ok(files)
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    use std::io::Write;
    fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
