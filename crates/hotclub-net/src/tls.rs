//! TLS by rustls with ring: which certificates are trusted, and which is shown.
use crate::problem::{Misconfigured, Problem};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What of a server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Verify {
    /// Who signed it, its dates, and the name of the host.
    #[default]
    Full,
    /// All but the name of the host.
    Chain,
    /// Nothing: protects from nobody who can change what is sent.
    Nothing,
}

/// How TLS is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsFiles {
    /// PEM file of certificates to trust, instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM file of the client's certificate, and those between it and the authority.
    pub certificate: Option<PathBuf>,
    /// PEM file of the client's private key.
    pub key: Option<PathBuf>,
    /// What is checked.
    pub verify: Verify,
}

/// TLS that is ready to be used for connections.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that is missing or holds something else.
    pub fn new(files: &TlsFiles) -> Result<Tls, Misconfigured> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Misconfigured(format!("TLS: {error}")))?;
        let builder =
            builder.dangerous().with_custom_certificate_verifier(verifier(files, provider.clone())?);
        let config = match (&files.certificate, &files.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), key) => {
                let chain = certificates(certificate)?;
                let key = key.as_ref().unwrap_or(certificate);
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
                builder
                    .with_client_auth_cert(chain, secret)
                    .map_err(|error| unreadable(certificate, &error))?
            }
            (None, Some(_)) => {
                return Err(Misconfigured("TLS: a client's key needs its certificate too".into()));
            }
        };
        Ok(Tls(Arc::new(config)))
    }

    /// The configuration, for clients that bring their own sockets.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }

    /// A session with the server of this name, not yet begun.
    ///
    /// # Errors
    /// No certificate can have that name.
    pub fn session(&self, host: &str) -> Result<ClientConnection, Problem> {
        let name = server_name(host)?;
        ClientConnection::new(self.0.clone(), name).map_err(|error| Problem::Tls(error.to_string()))
    }
}

/// The name that the server's certificate must have.
///
/// # Errors
/// No certificate can have it.
pub fn server_name(host: &str) -> Result<ServerName<'static>, Problem> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| Problem::Tls(format!("{host:?} is no name that a certificate can have")))
}

fn verifier(
    files: &TlsFiles,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Misconfigured> {
    if files.verify == Verify::Nothing {
        return Ok(Arc::new(Lenient { inner: None, provider }));
    }
    let mut roots = RootCertStore::empty();
    match &files.ca {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| unreadable(file, &error))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
        }
    }
    if roots.is_empty() {
        return Err(Misconfigured("TLS: this system trusts no certificates; name a file of them".into()));
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| Misconfigured(format!("TLS: {error}")))?;
    if files.verify == Verify::Full {
        return Ok(inner);
    }
    Ok(Arc::new(Lenient { inner: Some(inner), provider }))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Misconfigured> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(file, &error))?;
    let found: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| unreadable(file, &error))?;
    if found.is_empty() {
        return Err(Misconfigured(format!("TLS: {}: there is no certificate in it", file.display())));
    }
    Ok(found)
}

fn unreadable(file: &Path, error: &dyn fmt::Display) -> Misconfigured {
    Misconfigured(format!("TLS: {}: {error}", file.display()))
}

/// Checks less than everything, because it was asked to.
#[derive(Debug)]
struct Lenient {
    /// Checks the chain; `None` checks nothing.
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
