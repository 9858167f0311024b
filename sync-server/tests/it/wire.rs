//! A peer over real QUIC.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime, alg_id};
use rustls::sign::public_key_to_spki;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use thicket_protocol::frame::{self, ALPN, EXPORTER_LABEL, Hello, Peer, Reply, Request};
use thicket_protocol::ids::PublicKey;

use crate::fixture::Phone;

/// Takes one key alone.
#[derive(Debug)]
struct Pinned {
    key: PublicKey,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let wanted = public_key_to_spki(&alg_id::ED25519, self.key.as_bytes());
        if end_entity.as_ref() == wanted.as_ref() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 alone is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
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

/// One connection of a device.
pub(crate) struct Wire {
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    receive: RecvStream,
    _endpoint: Endpoint,
}

impl Wire {
    pub(crate) async fn connect(to: SocketAddr, key: PublicKey) -> Result<Self, ConnectionError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Pinned { key, provider: Arc::clone(&provider) });
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let quic = QuicClientConfig::try_from(tls).expect("ring has the suite");
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
        let config = ClientConfig::new(Arc::new(quic));
        let connection = endpoint.connect_with(config, to, "thicket").expect("an address").await?;
        let (send, receive) = connection.open_bi().await?;
        Ok(Self { connection, send, receive, _endpoint: endpoint })
    }

    pub(crate) async fn send(&mut self, request: &Request) {
        self.send_raw(&frame::encode(request)).await;
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("a short frame");
        self.send.write_all(&length.to_be_bytes()).await.expect("the stream is open");
        self.send.write_all(bytes).await.expect("the stream is open");
    }

    /// The next frame; `None` where the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Option<Reply> {
        let mut length = [0; 4];
        self.receive.read_exact(&mut length).await.ok()?;
        let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("a length")];
        self.receive.read_exact(&mut bytes).await.expect("a whole frame");
        Some(frame::decode(&bytes).expect("a frame"))
    }

    pub(crate) async fn ask(&mut self, request: &Request) -> Reply {
        self.send(request).await;
        self.next().await.expect("an answer")
    }

    pub(crate) fn exporter(&self, peer: &Peer) -> [u8; 32] {
        let mut out = [0; 32];
        let made = self.connection.export_keying_material(&mut out, EXPORTER_LABEL, &peer.exporter_context());
        made.expect("a secret of this connection");
        out
    }

    pub(crate) async fn hello(&mut self, peer: Peer, phone: &Phone) -> Reply {
        let hello = Hello::sign(peer, &self.exporter(&peer), &phone.signer);
        self.ask(&Request::Hello(hello)).await
    }
}

/// What a test may take at most, so that one that waits for ever fails.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("it ends")
}
