//! What the tests need: homes, and a server of their own in the same process.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, ServerConfig};
use rustls::crypto::ring::{default_provider, sign::any_eddsa_type};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use tempfile::TempDir;
use thicket_core::entropy::SystemEntropy;
use thicket_core::home::{Founding, Home};
use thicket_core::ring::Wrapping;
use thicket_core::secret::WrappingKey;
use thicket_core::time::Moment;
use thicket_protocol::address::ServerAddress;
use thicket_protocol::governance::Realm;
use thicket_protocol::ids::PublicKey;
use thicket_protocol::sign::Signer;

use crate::pin;

pub(crate) const OURS: [u8; 32] = [1; 32];
pub(crate) const ANOTHER: [u8; 32] = [2; 32];

pub(crate) fn now() -> Moment {
    Moment::new(1_800_000_000_000, 60).expect("a day of 2027")
}

pub(crate) fn wrapping() -> Wrapping<'static> {
    Wrapping::Key(WrappingKey::from_bytes([7; 32]))
}

pub(crate) fn home() -> (TempDir, Home) {
    let name = |text: &str| text.parse().expect("a name");
    let founding = Founding {
        team: name("Team"),
        member: name("Ada"),
        device: name("Desk"),
        notebook: name("Study"),
        realm: Realm::Research,
    };
    let folder = TempDir::new().expect("a folder");
    let entropy = Box::new(SystemEntropy::new());
    let (home, _) = Home::init(folder.path(), wrapping(), &founding, now(), entropy).expect("a home");
    (folder, home)
}

pub(crate) fn public_key(seed: &[u8; 32]) -> PublicKey {
    Signer::from_seed(seed).public_key()
}

/// The shown public key beside the private key that really signs.
pub(crate) fn certified(shown: &PublicKey, seed: &[u8; 32]) -> Arc<CertifiedKey> {
    // PrivateKeyInfo of RFC 8410, section 7.
    let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    pkcs8.extend_from_slice(seed);
    let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).expect("a seed in its frame is a key");
    Arc::new(CertifiedKey::new(vec![CertificateDer::from(pin::spki(shown).to_vec())], key))
}

/// Shows a certificate, as every ordinary server does.
#[derive(Debug)]
pub(crate) struct Ordinary(pub(crate) Arc<CertifiedKey>);

impl ResolvesServerCert for Ordinary {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

pub(crate) fn raw(shown: &PublicKey, seed: &[u8; 32]) -> Arc<dyn ResolvesServerCert> {
    Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(shown, seed)))
}

pub(crate) fn listen(keys: Arc<dyn ResolvesServerCert>, alpn: &[u8]) -> Endpoint {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(keys);
    tls.alpn_protocols = vec![alpn.to_vec()];
    let tls = QuicServerConfig::try_from(tls).expect("ring has QUIC's first suite");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    Endpoint::server(ServerConfig::with_crypto(Arc::new(tls)), any_port).expect("a port is free")
}

pub(crate) fn address(server: &Endpoint, key: PublicKey) -> ServerAddress {
    let port = server.local_addr().expect("it is bound").port();
    ServerAddress { host: "127.0.0.1".to_owned(), port, key }
}

pub(crate) fn framed(frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).expect("tests are small");
    [&length.to_be_bytes(), frame].concat()
}
