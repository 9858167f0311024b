//! What the sources of protocol and core must not ask of the world.
//!
//! Clippy holds the list in each package's clippy.toml; here it is held that the list is there, and what clippy cannot
//! say: that one file alone draws randomness.

use std::fs;
use std::path::Path;

use crate::house;

/// What core and protocol must never call: the clock, the environment, sleep.
const BANNED: [&str; 15] = [
    "std::env::args",
    "std::env::args_os",
    "std::env::current_dir",
    "std::env::current_exe",
    "std::env::home_dir",
    "std::env::temp_dir",
    "std::env::var",
    "std::env::var_os",
    "std::env::vars",
    "std::env::vars_os",
    "std::thread::sleep",
    "std::time::Instant::elapsed",
    "std::time::Instant::now",
    "std::time::SystemTime::elapsed",
    "std::time::SystemTime::now",
];

/// jiff's ways to the clock and to the machine's time zone, which core links and protocol does not.
const BANNED_IN_CORE: [&str; 4] = [
    "jiff::Timestamp::now",
    "jiff::ZonedDateTime::now",
    "jiff::tz::TimeZone::system",
    "jiff::tz::TimeZone::try_system",
];

/// Names of generators that draw from the operating system or from a thread's own state.
const RANDOMNESS: [&str; 7] =
    ["SystemRandom", "getrandom", "OsRng", "SysRng", "thread_rng", "rand::rng", "RandomState"];

/// The one file that names the operating system's randomness: the `Entropy` of real homes.
const ENTROPY: &str = "core/src/entropy.rs";

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file of the repository can be read")
}

#[test]
fn clippy_forbids_core_and_protocol_the_clock_and_the_environment() {
    for (package, banned) in
        [("protocol", BANNED.to_vec()), ("core", [BANNED.as_slice(), BANNED_IN_CORE.as_slice()].concat())]
    {
        let rules = read(&house::root().join(package).join("clippy.toml"));
        for call in banned {
            assert!(rules.contains(&format!("path = \"{call}\"")), "{package}/clippy.toml bans {call}");
        }
    }
}

/// Clippy's bans bind only where the workspace's lints do.
#[test]
fn every_package_has_the_house_lints_and_a_clippy_toml() {
    let manifest = read(&house::root().join("Cargo.toml"));
    for rule in ["unsafe_code = \"forbid\"", "disallowed_methods = \"deny\"", "unwrap_used = \"deny\""] {
        assert!(manifest.contains(rule), "the workspace says {rule}");
    }
    let mut packages = 0;
    for entry in fs::read_dir(house::root()).expect("the repository can be read") {
        let folder = entry.expect("the repository can be read").path();
        if folder.join("Cargo.toml").is_file() {
            let package = folder.display();
            assert!(
                read(&folder.join("Cargo.toml")).contains("[lints]\nworkspace = true"),
                "{package}: lints"
            );
            assert!(folder.join("clippy.toml").is_file(), "{package} has a clippy.toml");
            packages += 1;
        }
    }
    assert!(packages >= 4, "every package was looked at");
}

#[test]
fn no_source_of_core_or_protocol_lifts_the_ban() {
    for package in ["core/src", "protocol/src"] {
        for path in house::sources(&house::root().join(package)) {
            assert!(!read(&path).contains("disallowed_"), "{} keeps to the bans", path.display());
        }
    }
}

#[test]
fn randomness_is_drawn_in_one_file_of_core_and_nowhere_in_protocol() {
    let mut drawing = Vec::new();
    for package in ["core/src", "protocol/src"] {
        for path in house::sources(&house::root().join(package)) {
            let text = read(&path);
            if RANDOMNESS.iter().any(|name| text.contains(name)) {
                drawing
                    .push(path.strip_prefix(house::root()).expect("it lies in the repository").to_path_buf());
            }
        }
    }
    assert_eq!(drawing, [Path::new(ENTROPY)]);
}
