//! What can happen in a story. Stories are bytes, so that a seed, proptest and a fuzzer all write them.

/// One thing that happens; numbers are taken modulo what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each sentence says what the numbers of its event choose")]
pub enum Event {
    /// Somebody adds a participant.
    AddParticipant { device: u8 },
    /// Somebody starts an encounter with a participant.
    StartEncounter { device: u8, participant: u8 },
    /// Somebody writes a note: about nobody, about participants, or without saying.
    Write { device: u8, about: u8, encounter: u8 },
    /// Somebody puts a word into a note and saves it; some of the words are tokens.
    Edit { device: u8, note: u8, about: u8 },
    /// Somebody types into a note, without saving.
    Type { device: u8, note: u8 },
    /// What was typed is committed.
    Commit { device: u8 },
    /// A participant agrees, and somebody records it.
    Agree { device: u8, participant: u8, terms: u8 },
    /// A participant refuses, withdraws, or is asked, and somebody records it.
    SayNo { device: u8, participant: u8, terms: u8 },
    /// Somebody releases a note by hand.
    Release { device: u8, note: u8 },
    /// A device connects; what its connection before had under way may still arrive.
    Connect { device: u8 },
    /// Frames move, some each way.
    Carry { device: u8, frames: u8 },
    /// The connection of a device is cut; what is under way is lost, or arrives at the server all the same.
    Cut { device: u8, arrives: bool },
    /// A frame on its way is lost, doubled, swapped with the next, or altered.
    Garble { device: u8, how: u8 },
    /// A device dies at a step of its storage: in what it does next.
    Crash { device: u8, step: u8, torn: bool },
    /// A device is locked and opened again.
    Reopen { device: u8 },
    /// A device loses derived.db.
    LoseDerived { device: u8 },
    /// The server dies and comes back.
    ServerDies,
    /// Time passes, in minutes squared.
    Wait { minutes: u8 },
    /// A device's clock jumps.
    SetClock { device: u8, hours: i8 },
    /// Some of the search index is worked on.
    Index { device: u8 },
}

impl Event {
    /// Reads the next event of a story; none when it ends.
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (&[kind, device, a, b], rest) = bytes.split_first_chunk::<4>()?;
        *bytes = rest;
        Some(match kind % 32 {
            0 => Self::AddParticipant { device },
            1 => Self::StartEncounter { device, participant: a },
            2..=4 => Self::Write { device, about: a, encounter: b },
            5..=7 => Self::Edit { device, note: a, about: b },
            8 | 9 => Self::Type { device, note: a },
            10 => Self::Commit { device },
            11 | 12 => Self::Agree { device, participant: a, terms: b },
            13 => Self::SayNo { device, participant: a, terms: b },
            14 => Self::Release { device, note: a },
            15 | 16 => Self::Connect { device },
            17..=22 => Self::Carry { device, frames: a },
            23 => Self::Cut { device, arrives: a % 2 == 0 },
            24 => Self::Garble { device, how: a },
            25 | 26 => Self::Crash { device, step: a, torn: b % 2 == 0 },
            27 => Self::Reopen { device },
            28 => Self::LoseDerived { device },
            29 => Self::ServerDies,
            30 => Self::Wait { minutes: a },
            _ if b % 2 == 0 => Self::Index { device },
            _ => Self::SetClock { device, hours: i8::from_le_bytes([a]) },
        })
    }

    /// Reads a whole story.
    pub fn story(mut bytes: &[u8]) -> Vec<Self> {
        std::iter::from_fn(|| Self::read(&mut bytes)).collect()
    }
}
