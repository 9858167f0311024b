//! Programs of the tests package that are built in release and run with the caller's arguments.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::{checks, machine};

/// A program of the tests package.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Program {
    /// Stories from seeds.
    Sim,
    /// One verb of the workload that speed is measured with.
    Workload,
    /// The bound and Thicket side by side.
    Bench,
    /// The real programs, killed at random moments of their work.
    Kills,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Workload => "workload",
            Self::Bench => "bench",
            Self::Kills => "kills",
        }
    }

    /// The programs that it drives, which have to be built with it.
    const fn drives(self) -> &'static [&'static str] {
        match self {
            Self::Sim | Self::Workload | Self::Bench => &[],
            Self::Kills => &[
                "-p",
                "thicket-cli",
                "-p",
                "thicket-sync-server",
                "--bin",
                "thicket",
                "--bin",
                "thicket-sync-server",
            ],
        }
    }

    /// Builds it and says where it lies.
    pub(crate) fn build(self) -> Result<PathBuf, ExitCode> {
        let no_vendor = machine::can_build().map_err(|reason| {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        })?;
        let name = self.name();
        let mut cargo =
            machine::cargo(&["build", "--release", "--quiet", "-p", "thicket-tests", "--bin", name]);
        cargo.args(self.drives());
        if no_vendor {
            cargo.env("OPENSSL_NO_VENDOR", "1");
        }
        checks::finish(&mut cargo).map_err(ExitCode::from)?;
        Ok(machine::release_folder().join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
    }

    /// Builds and runs it.
    pub(crate) fn run(self, arguments: &[String]) -> ExitCode {
        match self.build() {
            Ok(path) => match checks::finish(Command::new(path).args(arguments)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(code) => ExitCode::from(code),
            },
            Err(code) => code,
        }
    }
}
