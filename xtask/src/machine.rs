//! What the machine must bring before anything is built, and what is fetched for it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a build of SQLCipher's crypto needs of the machine.
#[derive(Debug, Clone, Copy)]
struct Found {
    c_compiler: bool,
    make: bool,
    perl: bool,
}

/// Sees to it that the machine can build and check the workspace; the answer and the error are those of [`can_build`].
pub(crate) fn can_check() -> Result<bool, String> {
    let no_vendor = can_build()?;
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        install(component, subcommand)?;
    }
    Ok(no_vendor)
}

/// Sees to it that the machine can build the workspace.
///
/// The answer says whether the system's OpenSSL is to be linked; else OpenSSL is built from source, which takes
/// minutes. The error is one sentence that names what is missing.
pub(crate) fn can_build() -> Result<bool, String> {
    let no_vendor = links_system_openssl(env::var("OPENSSL_NO_VENDOR").ok().as_deref(), system_openssl());
    let found = Found {
        // A caller who names a compiler is believed: CC may hold a whole command.
        c_compiler: env::var_os("CC").is_some() || answers(Command::new("cc").arg("--version")),
        make: answers(Command::new("make").arg("--version")),
        perl: answers(Command::new("perl").arg("-v")),
    };
    if let Some(reason) = missing(found, no_vendor) {
        return Err(reason);
    }
    if no_vendor {
        eprintln!("xtask: linking the system's OpenSSL");
    } else {
        eprintln!("xtask: building OpenSSL from source, minutes the first time");
    }
    Ok(no_vendor)
}

/// The folder of release builds.
pub(crate) fn release_folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let beside = || {
        let house = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository");
        house.join("target")
    };
    target.unwrap_or_else(beside).join("release")
}

/// Decides whether to link the system's OpenSSL: what the caller says counts, else what is there.
fn links_system_openssl(asked: Option<&str>, there: bool) -> bool {
    asked.map_or(there, |said| said != "0")
}

/// Says in one sentence what a build needs and the machine lacks.
fn missing(found: Found, no_vendor: bool) -> Option<String> {
    let vendored = !no_vendor;
    let needs = [
        ("a C compiler (cc)", found.c_compiler),
        ("make", found.make || !vendored),
        ("perl", found.perl || !vendored),
    ];
    let lacks: Vec<&str> = needs.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
    if lacks.is_empty() {
        return None;
    }
    let other_way = if vendored {
        ", or pkg-config and the development files of OpenSSL in place of make and perl"
    } else {
        ""
    };
    Some(format!("missing on this machine: {}{other_way}; install it and run this again", lacks.join(", ")))
}

/// Finds out whether the build will find the development files of OpenSSL.
///
/// openssl-sys believes its own variables and pkg-config; on Linux a header without pkg-config does not help it.
fn system_openssl() -> bool {
    let told = ["OPENSSL_DIR", "OPENSSL_LIB_DIR"].iter().any(|name| env::var_os(name).is_some());
    told || answers(Command::new("pkg-config").args(["--exists", "openssl"]))
}

/// Installs a component of the toolchain through rustup, saying so, unless it is there.
fn install(component: &str, subcommand: &str) -> Result<(), String> {
    if answers(cargo(&[subcommand]).arg("--version")) {
        return Ok(());
    }
    eprintln!("xtask: {component} is not installed: rustup component add {component}");
    let added = Command::new("rustup").args(["component", "add", component]).status();
    if added.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(format!("{component} is missing and rustup could not add it; install it and run this again"))
}

/// The cargo that runs this program, else the one on the path.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(args);
    cargo
}

/// Whether a program is there and content, seen without letting it speak.
fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Found = Found { c_compiler: true, make: true, perl: true };

    #[track_caller]
    fn lacks(found: Found, no_vendor: bool, expect: Option<&str>) {
        assert_eq!(missing(found, no_vendor).as_deref(), expect);
    }

    #[test]
    fn a_whole_machine_lacks_nothing() {
        lacks(ALL, false, None);
    }

    #[test]
    fn the_system_openssl_makes_perl_and_make_needless() {
        lacks(Found { make: false, perl: false, ..ALL }, true, None);
    }

    #[test]
    fn what_is_missing_is_named_in_one_sentence() {
        lacks(
            Found { perl: false, ..ALL },
            false,
            Some(
                "missing on this machine: perl, or pkg-config and the development files of OpenSSL in place of make and perl; \
                 install it and run this again",
            ),
        );
        lacks(
            Found { c_compiler: false, make: false, perl: false },
            false,
            Some(
                "missing on this machine: a C compiler (cc), make, perl, or pkg-config and the development files of \
                 OpenSSL in place of make and perl; install it and run this again",
            ),
        );
        lacks(
            Found { c_compiler: false, ..ALL },
            true,
            Some("missing on this machine: a C compiler (cc); install it and run this again"),
        );
    }

    #[test]
    fn what_the_caller_says_about_openssl_counts() {
        assert!(links_system_openssl(None, true));
        assert!(!links_system_openssl(None, false));
        assert!(!links_system_openssl(Some("0"), true));
        assert!(links_system_openssl(Some("1"), false));
    }
}
