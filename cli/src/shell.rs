//! What a shell wants to know: completions and manual pages, made from the command line itself.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;

use crate::args::Args;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{Page, Shown, count};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket completions bash > ~/.local/share/bash-completion/completions/thicket
  thicket completions fish > ~/.config/fish/completions/thicket.fish")]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, desk: &Desk) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Args::command(), "thicket", &mut script);
        desk.output.raw(&script)
    }
}

/// Write the manual pages into a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thicket man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Folder for the pages; it is made where it is not there.
    folder: PathBuf,
}

#[derive(Serialize)]
struct Written {
    folder: String,
    pages: u64,
}

impl Shown for Written {
    fn set(&self, page: &mut Page) {
        page.line(format_args!("{} written to {}", count(self.pages, "page", "pages"), self.folder));
    }
}

impl Man {
    pub(crate) fn run(&self, desk: &Desk) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::file(&self.folder, &error);
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Args::command(), &self.folder).map_err(failed)?;
        let mut pages = 0;
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            pages += u64::from(
                name.to_string_lossy().starts_with("thicket") && name.to_string_lossy().ends_with(".1"),
            );
        }
        desk.output.print(&Written { folder: self.folder.display().to_string(), pages })
    }
}
