//! What people type is read as they meant it, or refused: nothing is guessed.

use thicket_protocol::address::{InviteCode, ParseAddressError, ParseInviteError, ServerAddress};
use thicket_protocol::ids::PublicKey;
use thicket_protocol::limits::HOST_BYTES_MAX;
use thicket_protocol::sign;

use crate::samples;

const KEY: &str = "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq";

fn address(host: &str) -> Result<ServerAddress, ParseAddressError> {
    format!("thicket://{host}:4430/{KEY}").parse()
}

/// A name of this many bytes, in labels of at most 63.
fn long_host(length: usize) -> String {
    let host: String = (1..=length).map(|at| if at % 64 == 0 { '.' } else { 'a' }).collect();
    assert!(!host.ends_with('.'));
    host
}

#[test]
fn an_address_reads_back_as_the_server_printed_it() {
    let key: Vec<u8> = (0..32).collect();
    for host in
        ["sync.example.org", "localhost", "a", "192.0.2.7", "[2001:db8::1]", "[::1]", "3com.example", "x1"]
    {
        let read = address(host).expect(host);
        assert_eq!(
            (read.host.as_str(), read.port, read.key.as_bytes().as_slice()),
            (host, 4430, key.as_slice())
        );
        assert_eq!(read.to_string(), format!("thicket://{host}:4430/{KEY}"));
    }
    address(&long_host(HOST_BYTES_MAX)).expect("at the limit");
    assert_eq!(address(&long_host(HOST_BYTES_MAX + 1)), Err(ParseAddressError));
    for port in [1, u16::MAX] {
        let read: ServerAddress = format!("thicket://a:{port}/{KEY}").parse().expect("a port");
        assert_eq!(read.port, port);
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for host in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a b",
        "a_b",
        "ä.example",
        "a@b",
        "user:word@a",
        "a/b",
        "a?b",
        "::1",
        "[::1",
        "::1]",
        "[]",
        "[a]",
        "[fe80::1%eth0]",
        "[192.0.2.7]",
        "192.0.2",
        "192.0.2.256",
        "1",
        "0x7f.1",
        "a.1",
        &"a".repeat(64),
    ] {
        assert_eq!(address(host), Err(ParseAddressError), "{host}");
    }
    for port in ["", "0", "65536", "-1", "+443", "0443", "443 ", "a"] {
        assert_eq!(
            format!("thicket://a:{port}/{KEY}").parse::<ServerAddress>(),
            Err(ParseAddressError),
            "{port}"
        );
    }
    let whole = format!("thicket://a:1/{KEY}");
    whole.parse::<ServerAddress>().expect("an address");
    for text in [
        String::new(),
        KEY.to_owned(),
        format!("https://a:1/{KEY}"),
        format!("THICKET://a:1/{KEY}"),
        format!(" {whole}"),
        format!("{whole}/"),
        format!("{whole}="),
        format!("{whole}a"),
        format!("thicket://a/{KEY}"),
        format!("thicket://a:1{KEY}"),
        "thicket://a:1".to_owned(),
        "thicket://a:1/".to_owned(),
        whole[..whole.len() - 1].to_owned(),
        format!("thicket://a:1/{}", KEY.to_uppercase()),
        format!("thicket://a:1/{}1", &KEY[..51]),
        // The last symbol has four bits that no key uses.
        format!("thicket://a:1/{}r", &KEY[..51]),
    ] {
        assert_eq!(text.parse::<ServerAddress>(), Err(ParseAddressError), "{text}");
    }
}

#[test]
fn a_code_reads_back_however_it_was_typed() {
    let code = samples::invite_code();
    let text = code.to_string();
    assert!(text.split('-').rev().skip(1).all(|group| group.len() == 5), "{text}");
    assert!(!text.contains(['i', 'l', 'o', 'u']), "{text}");
    let misread = |text: &str| text.replace('0', "O").replace('1', "l");
    for typed in [
        text.clone(),
        text.to_uppercase(),
        text.replace('-', ""),
        text.replace('-', " \n\t"),
        format!("  {text}\n"),
        misread(&text),
        text.replace('0', "o").replace('1', "I"),
        misread(&text).to_uppercase(),
    ] {
        assert_eq!(typed.parse::<InviteCode>(), Ok(code.clone()), "{typed}");
    }
    for host in ["a", "[2001:db8::1]", &long_host(HOST_BYTES_MAX)] {
        let server = ServerAddress::from_parts(host, 1, code.server.key).expect("an address");
        let code = InviteCode { server, ..code.clone() };
        assert_eq!(code.to_string().parse(), Ok(code));
    }
}

/// A code as another writer would make it: of these bytes and the checksum of them.
fn code_of(said: &[u8]) -> String {
    const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let sum = sign::hash("thicket/invite-code/1", &[said]);
    let bits =
        [said, &sum.as_bytes()[..4]].concat().iter().map(|byte| format!("{byte:08b}")).collect::<String>();
    let five = |five: &[u8]| {
        let five = format!("{:0<5}", std::str::from_utf8(five).expect("digits are ASCII"));
        char::from(SYMBOLS[usize::from_str_radix(&five, 2).expect("five binary digits")])
    };
    bits.as_bytes().chunks(5).map(five).collect()
}

/// What stands before the checksum of the sample with another host.
fn said(host: &str) -> Vec<u8> {
    let code = samples::invite_code();
    let port = code.server.port.to_be_bytes();
    let (team, key) = (code.team.as_bytes(), code.server.key.as_bytes());
    [&[1], &code.secret[..], team, key, &port, host.as_bytes()].concat()
}

#[test]
fn a_code_is_written_as_the_page_says() {
    let code = samples::invite_code();
    assert_eq!(code.to_string().replace('-', ""), code_of(&said(&code.server.host)));
}

#[test]
fn a_code_with_one_wrong_symbol_is_mistyped() {
    let text = samples::invite_code().to_string();
    for (at, symbol) in text.char_indices().filter(|(_, symbol)| *symbol != '-') {
        for other in "0123456789abcdefghjkmnpqrstvwxyz".chars().filter(|other| *other != symbol) {
            let typed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert_eq!(typed.parse::<InviteCode>(), Err(ParseInviteError::Checksum), "{typed}");
        }
        for strange in ['u', 'U', '!', '=', 'é', '０', '\0'] {
            let typed = format!("{}{strange}{}", &text[..at], &text[at + 1..]);
            assert_eq!(typed.parse::<InviteCode>(), Err(ParseInviteError::Shape), "{typed}");
        }
    }
}

#[test]
fn a_code_cut_short_or_of_no_sense_is_refused() {
    let text = samples::invite_code().to_string();
    for end in 0..text.len() {
        let cut = text[..end].parse::<InviteCode>();
        assert!(matches!(cut, Err(ParseInviteError::Shape | ParseInviteError::Checksum)), "{}", &text[..end]);
    }
    assert_eq!("".parse::<InviteCode>(), Err(ParseInviteError::Shape));
    assert_eq!(
        "00000-00000-000".parse::<InviteCode>(),
        Err(ParseInviteError::Shape),
        "too short to be mistyped"
    );
    let host = "sync.example.org";
    code_of(&said(host)).parse::<InviteCode>().expect("the checksum fits");
    for (sense, bytes) in [
        ("no host", said("")),
        ("a bad host", said("a b")),
        ("a host too long", said(&long_host(HOST_BYTES_MAX + 1))),
        ("a host that is no text", [said("").as_slice(), &[0xff]].concat()),
        ("port 0", {
            let mut bytes = said(host);
            bytes[65..67].fill(0);
            bytes
        }),
        ("nothing but a version", vec![1]),
    ] {
        assert_eq!(code_of(&bytes).parse::<InviteCode>(), Err(ParseInviteError::Shape), "{sense}");
    }
}

#[test]
fn what_is_shorter_than_every_code_is_not_called_mistyped() {
    let mistyped = |host: &str| {
        let code = code_of(&said(host));
        format!("{}{}", if code.starts_with('z') { 'y' } else { 'z' }, &code[1..]).parse::<InviteCode>()
    };
    assert_eq!(mistyped("a"), Err(ParseInviteError::Checksum));
    assert_eq!(mistyped(""), Err(ParseInviteError::Shape));
}

#[test]
fn a_code_of_a_later_version_is_named() {
    for version in [0, 2, 255] {
        let mut bytes = said("a");
        bytes[0] = version;
        assert_eq!(code_of(&bytes).parse::<InviteCode>(), Err(ParseInviteError::Version(version)));
        assert_eq!(code_of(&[version, 7]).parse::<InviteCode>(), Err(ParseInviteError::Version(version)));
    }
}

#[test]
fn the_seed_of_an_invite_is_the_hash_of_its_secret_and_is_never_shown() {
    let code = samples::invite_code();
    assert_eq!(code.seed(), *sign::hash("thicket/invite/1", &[&code.secret]).as_bytes());
    assert_eq!(format!("{code:?}"), "InviteCode(…)");
    let other = InviteCode { secret: [0; 16], ..code.clone() };
    assert_ne!(other.seed(), code.seed());
    let server = ServerAddress { key: PublicKey::from_bytes([0; 32]), ..code.server.clone() };
    let seed = code.seed();
    assert_eq!(InviteCode { server, ..code }.seed(), seed);
}
