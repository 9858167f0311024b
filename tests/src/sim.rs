//! The simulator: devices, the real server's store and sessions, and a network that fails, all from one seed.
//!
//! After every event what was promised is checked: nothing acknowledged is lost, equal sets of records read equal, no
//! shared note lacks a covering stamp, nothing that was typed stands readable in any file. At the end the network
//! heals, and everybody must agree.

mod check;
mod crash;
mod dice;
mod event;
mod link;
mod relay;
mod world;

use tempfile::TempDir;

pub use self::dice::Dice;
pub use self::event::Event;
pub use self::world::{Tally, World};

/// How many bytes a story of a seed has; four an event.
pub const STORY_BYTES: usize = 4 * 120;

/// A promise that was not kept.
#[derive(Debug)]
pub struct Broken {
    /// At which event of the story; none in the beginning or at the end.
    pub event: Option<usize>,
    /// What was not kept.
    pub what: String,
    /// What had happened, one line an event.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        write!(f, "event {:?}: {}", self.event, self.what)
    }
}

/// Runs the story of a seed.
pub fn run_seed(seed: u64) -> Result<Tally, Box<Broken>> {
    use thicket_core::entropy::Entropy;
    let mut dice = Dice::new(seed);
    let mut story = vec![0; STORY_BYTES];
    dice.fill(&mut story);
    run(dice, &Event::story(&story))
}

/// Runs a story.
pub fn run(dice: Dice, story: &[Event]) -> Result<Tally, Box<Broken>> {
    let mut world = World::begin(dice);
    for (at, event) in story.iter().enumerate() {
        world.happen(at, *event)?;
    }
    world.heal()
}

/// A folder in memory where the machine has one: a story syncs to the disk thousands of times.
fn folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}
