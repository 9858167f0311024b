//! TLS as the server speaks it: version 1.3, its Ed25519 key as a raw public key (RFC 7250), nobody else's certificate.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, TransportConfig, VarInt};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, alg_id};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::{CertifiedKey, public_key_to_spki};
use thicket_protocol::frame::ALPN;
use thicket_protocol::ids::PublicKey;
use thicket_protocol::sign::hash;

use crate::limits::{IDLE_TIMEOUT_MS, KEEP_ALIVE_MS};

/// PKCS #8 before an Ed25519 seed (RFC 8410, section 7).
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const CONNECTION_ID_BYTES: usize = 8;
/// What the server sends ahead of a peer's acknowledgement.
const SEND_WINDOW_BYTES: u64 = 4 * 1024 * 1024;

/// Makes what a server recognises its own connections by, the same after a restart: so it can tell a device at once that
/// their connection is no more (RFC 9000, section 10.3), which would else find out by silence.
pub(super) fn endpoint_config(seed: &[u8; 32]) -> EndpointConfig {
    let secret = hash("thicket/quic-reset/1", &[seed]);
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())));
    config.cid_generator(|| Box::new(RandomIds));
    config
}

/// Names connections at random. quinn's own names are known to the process alone that gave them, and what comes under
/// another would be passed over in silence.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CONNECTION_ID_BYTES];
        SystemRandom::new().fill(&mut id).expect("the operating system gives randomness");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Makes the configuration of a connection: one stream of one peer a connection, no early data.
pub(super) fn server_config(seed: &[u8; 32], key: &PublicKey) -> quinn::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pkcs8 = PrivatePkcs8KeyDer::from([PKCS8_ED25519.as_slice(), seed].concat());
    let signing = provider.key_provider.load_private_key(PrivateKeyDer::from(pkcs8));
    let signing = signing.expect("32 bytes behind that prefix are an Ed25519 key");
    let spki = public_key_to_spki(&alg_id::ED25519, key.as_bytes());
    let certified = CertifiedKey::new(vec![CertificateDer::from(spki.to_vec())], signing);
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(certified))));
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.max_early_data_size = 0;
    let quic = QuicServerConfig::try_from(tls).expect("ring has the suite of QUIC's first packets");
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .send_window(SEND_WINDOW_BYTES)
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT_MS))))
        .keep_alive_interval(Some(Duration::from_millis(KEEP_ALIVE_MS)));
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(quic));
    config.transport_config(Arc::new(transport));
    config
}
