//! The one key that a server may prove, as a raw public key (RFC 7250), and nothing of X.509.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime, alg_id};
use rustls::sign::public_key_to_spki;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme, version::TLS13,
};
use thicket_protocol::frame::ALPN;
use thicket_protocol::ids::PublicKey;

/// Makes a TLS 1.3 configuration that takes a server of this key and no other; nothing is resumed, nothing sent early.
pub(crate) fn tls_config(key: &PublicKey) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let pin = Arc::new(PinnedKey::new(key, Arc::clone(&provider)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("ring has cipher suites of TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(pin)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config
}

/// Takes a server that proves one key.
#[derive(Debug)]
struct PinnedKey {
    spki: SubjectPublicKeyInfoDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl PinnedKey {
    fn new(key: &PublicKey, provider: Arc<CryptoProvider>) -> Self {
        Self { spki: spki(key), provider }
    }
}

/// Writes a key as SubjectPublicKeyInfo (RFC 8410, section 4).
pub(crate) fn spki(key: &PublicKey) -> SubjectPublicKeyInfoDer<'static> {
    public_key_to_spki(&alg_id::ED25519, key.as_bytes())
}

impl ServerCertVerifier for PinnedKey {
    /// With raw public keys `end_entity` is the server's SubjectPublicKeyInfo.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if end_entity.as_ref() == self.spki.as_ref() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(cert.as_ref());
        verify_tls13_signature_with_raw_key(
            message,
            &spki,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
