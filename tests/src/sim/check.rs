//! What must hold after every event, and what must hold when everybody has everything.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use thicket_core::home::{HomeError, NoteRow, NotesWanted};
use thicket_core::vocabulary::StampStatus;
use thicket_protocol::governance::SpaceKind;

use super::Broken;
use super::world::{Device, World};

/// Every word that is typed in a story, and every name, holds one of these.
const CANARIES: [&[u8]; 4] = [b"quagmire", b"Zqreal", b"Zqtitle", b"Zqstudy"];
/// Files are read through every so many events: they are long.
const LOOK_INTO_FILES_EVERY: usize = 16;

impl World {
    /// Checks what must hold after every event.
    pub(super) fn check(&mut self) -> Result<(), Box<Broken>> {
        for device in &self.devices {
            self.nothing_is_lost(device)?;
            self.nothing_shared_lacks_a_stamp(device)?;
        }
        self.nothing_shared_was_private()?;
        self.equal_sets_read_equal()?;
        if self.event.is_none_or(|event| event % LOOK_INTO_FILES_EVERY == 0) {
            self.nothing_is_readable(&self.relay.folder())?;
            for device in &self.devices {
                self.nothing_is_readable(device.folder.path())?;
            }
        }
        Ok(())
    }

    /// Whatever was acknowledged stands in its note, or in its draft, and is found by search.
    fn nothing_is_lost(&self, device: &Device) -> Result<(), Box<Broken>> {
        for (note, words) in &device.saved {
            let shown = match device.home().note(*note) {
                Ok(shown) => shown,
                // A colleague's note that somebody wrote into is the author's and the custodians' alone while it is on hold.
                Err(HomeError::Consent { .. }) => continue,
                Err(error) => {
                    return Err(self.broken(format!("{}: note {note:?} is gone: {error}", device.name)));
                }
            };
            let draft = shown.draft.as_ref().map(|draft| draft.text.as_str()).unwrap_or_default();
            for word in words {
                if !shown.text.contains(word) && !draft.contains(word) {
                    return Err(self.broken(format!(
                        "{}: {word} was saved in {note:?} and is not there: {shown:#?}",
                        device.name
                    )));
                }
            }
            // A held note is the author's to open, and in nobody's search.
            if shown.stamp.status == StampStatus::OnHold {
                continue;
            }
            if let Some(word) = words.iter().find(|word| shown.text.contains(*word)) {
                let hits = device.home().search(None, word, false, 10);
                let found = hits.as_ref().is_ok_and(|hits| hits.iter().any(|hit| hit.row.id == *note));
                if !found {
                    return Err(
                        self.broken(format!("{}: search does not find {word}: {hits:?}", device.name))
                    );
                }
            }
        }
        Ok(())
    }

    /// A shared note rests on something, or its stamp has not come, or it is on hold; never on nothing.
    fn nothing_shared_lacks_a_stamp(&self, device: &Device) -> Result<(), Box<Broken>> {
        for row in self.rows(device)? {
            let rests = match row.stamp {
                StampStatus::Valid | StampStatus::OnHold | StampStatus::Pending => true,
                StampStatus::None | StampStatus::Blocked => false,
            };
            if !row.is_private && !rests {
                return Err(self.broken(format!("{}: a shared note rests on nothing: {row:?}", device.name)));
            }
        }
        Ok(())
    }

    /// What is shared lies under a key that no private record ever had: a release keeps nothing of what was before it.
    fn nothing_shared_was_private(&mut self) -> Result<(), Box<Broken>> {
        let mut shared = Vec::new();
        for device in &self.devices {
            for row in self.rows(device)? {
                let note = device.home().note(row.id);
                match note.map(|note| (note.is_private, note.generation)) {
                    Ok((true, generation)) => {
                        self.private.insert(generation);
                    }
                    Ok((false, generation)) => shared.push((device.name, generation)),
                    // On hold: not this device's to open.
                    Err(_) => {}
                }
            }
        }
        match shared.iter().find(|(_, generation)| self.private.contains(generation)) {
            Some((device, generation)) => {
                Err(self
                    .broken(format!("{device}: {generation:?} is shared under the key of a private note")))
            }
            None => Ok(()),
        }
    }

    fn rows(&self, device: &Device) -> Result<Vec<NoteRow>, Box<Broken>> {
        let page = device.home().notes(&NotesWanted::default(), None, 1_000);
        page.map(|page| page.notes).map_err(|error| self.broken(format!("{}: no list: {error}", device.name)))
    }

    /// Devices that have the same records of the spaces that both read show the same notes.
    fn equal_sets_read_equal(&self) -> Result<(), Box<Broken>> {
        let mut by_state: BTreeMap<String, (&'static str, Vec<String>)> = BTreeMap::new();
        for device in &self.devices {
            let Some(state) = self.shared_state(device)? else { continue };
            let shown = self.shared_notes(device)?;
            match by_state.get(&state) {
                Some((other, seen)) if *seen != shown => {
                    return Err(self.broken(format!(
                        "{} and {other} have the same records and show different notes:\n{seen:#?}\n{shown:#?}",
                        device.name
                    )));
                }
                Some(_) => {}
                None => {
                    by_state.insert(state, (device.name, shown));
                }
            }
        }
        Ok(())
    }

    /// Which records of the team's spaces a device has, in a word; none while something of its own is not sent.
    fn shared_state(&self, device: &Device) -> Result<Option<String>, Box<Broken>> {
        let status = device
            .home()
            .status()
            .map_err(|error| self.broken(format!("{}: no status: {error}", device.name)))?;
        let mut state = String::new();
        for space in &status.spaces {
            if space.kind == SpaceKind::Private {
                continue;
            }
            if space.unsent > 0 || space.waiting > 0 || !space.has_key {
                return Ok(None);
            }
            state.push_str(&format!("{} at {:?}; ", space.id, space.at));
        }
        Ok(Some(state))
    }

    /// The shared notes as a device shows them.
    fn shared_notes(&self, device: &Device) -> Result<Vec<String>, Box<Broken>> {
        let mut shown = Vec::new();
        for row in self.rows(device)? {
            if row.is_private || row.stamp == StampStatus::OnHold {
                continue;
            }
            let note = device.home().note(row.id).map_err(|error| self.broken(error.to_string()))?;
            shown.push(format!(
                "{} {:?} {:?} {:?} {:?} {:?} {:?}",
                row.id, note.generation, note.title, note.text, note.observed_at, note.people, note.stamp
            ));
        }
        Ok(shown)
    }

    /// Nothing that was typed, and no name, stands in any file.
    fn nothing_is_readable(&self, folder: &Path) -> Result<(), Box<Broken>> {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            // SQLite's index of a log holds page numbers, lives in memory, and is made anew at every opening.
            if entry.file_name().to_string_lossy().ends_with("-shm") {
                continue;
            }
            let bytes = fs::read(entry.path()).unwrap_or_default();
            for canary in CANARIES {
                if bytes.windows(canary.len()).any(|window| window == canary) {
                    return Err(self.broken(format!("{:?} holds {canary:?}", entry.file_name())));
                }
            }
        }
        Ok(())
    }

    /// When everything was exchanged, nothing waits, and every word of a shared note is everywhere.
    pub(super) fn check_agreement(&self) -> Result<(), Box<Broken>> {
        let mut states = Vec::new();
        for device in &self.devices {
            let state = self.shared_state(device)?;
            if state.is_none() {
                let status = device.home().status();
                return Err(self.broken(format!(
                    "{} still has something to send or to wait for: {status:?}",
                    device.name
                )));
            }
            states.push(state);
        }
        if states.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(self.broken(format!("not everybody has the same: {states:?}")));
        }
        for device in &self.devices {
            for (note, words) in &device.saved {
                for other in &self.devices {
                    let Ok(shown) = other.home().note(*note) else { continue };
                    if shown.is_private || shown.stamp.status == StampStatus::OnHold {
                        continue;
                    }
                    let at_home = device.home().note(*note).map(|shown| shown.text).unwrap_or_default();
                    if let Some(lost) =
                        words.iter().find(|word| at_home.contains(*word) && !shown.text.contains(*word))
                    {
                        return Err(
                            self.broken(format!("{}: {lost} of {} has not come", other.name, device.name))
                        );
                    }
                }
            }
        }
        Ok(())
    }
}
