//! The ledgers of a home in memory: the roster, and one a notebook out of its ledger and identities spaces.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use thicket_protocol::governance::SpaceKind;
use thicket_protocol::ids::{NotebookId, SpaceId};

use super::{DamagedFile, Home, HomeError, Thing};
use crate::ids::{ParticipantId, PlaceId};
use crate::ledger::Ledger;
use crate::object::{SignedObject, Verified};
use crate::store::derived_db;
use crate::text::Token;

/// The fewest digits of an id that are taken for the beginning of one.
const PREFIX_DIGITS_MIN: usize = 4;

/// How many digits a short form of an id has.
const SHORT_DIGITS: usize = 8;

/// Ledgers as far as they were loaded: what needs none (a page of a list without people) does not wait for them.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    roster: Ledger,
    /// One cell for every notebook of the log, filled by the first who reads it.
    notebooks: BTreeMap<NotebookId, OnceCell<Ledger>>,
}

impl Home {
    /// Takes an object in that stands in derived.db now; one of a ledger that is not loaded waits there.
    pub(crate) fn ledger_insert(&mut self, space: &SpaceId, object: &Verified) {
        let Some(of) = self.team.as_ref().and_then(|team| team.spaces().get(space)) else { return };
        let ledger = match of.notebook {
            None => Some(&mut self.ledgers.roster),
            Some(notebook) => self.ledgers.notebooks.get_mut(&notebook).and_then(OnceCell::get_mut),
        };
        if let Some(ledger) = ledger {
            ledger.insert(object);
        }
    }

    /// Loads the ledger of a notebook from derived.db, if it is not loaded: before anything that reads it.
    pub(crate) fn load_ledger(&mut self, notebook: &NotebookId) -> Result<(), HomeError> {
        self.ledger(notebook).map(|_| ())
    }

    /// Forgets the ledger of a notebook: the next who reads it loads it anew.
    pub(crate) fn forget_ledger(&mut self, notebook: NotebookId) {
        self.ledgers.notebooks.insert(notebook, OnceCell::new());
    }

    /// Makes room for the ledger of every notebook that the log names.
    pub(crate) fn register_notebooks(&mut self) {
        for notebook in self.team.iter().flat_map(|team| team.notebooks().keys()) {
            self.ledgers.notebooks.entry(*notebook).or_default();
        }
    }

    /// Loads the roster anew; at opening, and once the log says which space it is.
    pub(crate) fn load_roster(&mut self) -> Result<(), HomeError> {
        let mut roster = Ledger::new();
        if let Some(team) = &self.team {
            self.read_objects(&team.roster(), &mut roster)?;
        }
        self.ledgers.roster = roster;
        Ok(())
    }

    /// Forgets what was read of derived.db, which is empty now.
    pub(super) fn forget_ledgers(&mut self) {
        self.ledgers = Ledgers::default();
        self.register_notebooks();
    }

    fn read_objects(&self, space: &SpaceId, ledger: &mut Ledger) -> Result<(), HomeError> {
        for wire in derived_db::objects(self.derived.read(), *space)? {
            let object =
                SignedObject::from_wire(&wire).map_err(|_| HomeError::Damaged(DamagedFile::Derived))?;
            ledger.insert(&Verified::stored(object));
        }
        Ok(())
    }

    /// The roster: names of team, members, devices and notebooks.
    pub fn roster(&self) -> &Ledger {
        &self.ledgers.roster
    }

    /// The ledger of a notebook, with its identities where this member may read them.
    pub fn ledger(&self, notebook: &NotebookId) -> Result<&Ledger, HomeError> {
        let unknown = HomeError::NotFound(Thing::Notebook);
        let (Some(team), Some(cell)) = (&self.team, self.ledgers.notebooks.get(notebook)) else {
            return Err(unknown);
        };
        if cell.get().is_none() {
            let mut ledger = Ledger::new();
            for kind in [SpaceKind::Ledger, SpaceKind::Identities] {
                if let Some(space) = team.space_of(notebook, kind, None) {
                    self.read_objects(&space, &mut ledger)?;
                }
            }
            cell.set(ledger).expect("the cell was empty, and nobody else has it");
        }
        cell.get().ok_or(unknown)
    }

    /// What a person or place is called in rendered text: its pseudonym, or a short form of its id.
    pub fn name_of(&self, notebook: &NotebookId, token: Token) -> String {
        let name = self.ledger(notebook).ok().and_then(|ledger| match token {
            Token::Person(id) => Some(ledger.participants().get(&id)?.value()?.pseudonym.to_string()),
            Token::Place(id) => Some(ledger.places().get(&id)?.value()?.pseudonym.to_string()),
        });
        name.unwrap_or_else(|| short(&token))
    }

    /// Finds a participant by id, unique prefix of it, or pseudonym.
    pub fn find_participant(&self, notebook: &NotebookId, name: &str) -> Result<ParticipantId, HomeError> {
        let all = self.ledger(notebook)?.participants().iter();
        let named = all.map(|(id, one)| (*id, one.value().map(|one| one.pseudonym.as_str())));
        find(Thing::Participant, name, named)
    }

    /// Finds a place by id, unique prefix of it, or pseudonym.
    pub fn find_place(&self, notebook: &NotebookId, name: &str) -> Result<PlaceId, HomeError> {
        let all = self.ledger(notebook)?.places().iter();
        let named = all.map(|(id, one)| (*id, one.value().map(|one| one.pseudonym.as_str())));
        find(Thing::Place, name, named)
    }
}

/// The first digits of an id, where it has no name.
pub(super) fn short(id: &impl Display) -> String {
    id.to_string().chars().take(SHORT_DIGITS).collect()
}

/// Tells whether a text can be the beginning of an id.
pub(super) fn is_prefix(text: &str) -> bool {
    text.len() >= PREFIX_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How a text can mean something that is not named by its whole id.
#[derive(Clone, Copy)]
enum Rule {
    Name,
    Prefix,
    NameInAnyCase,
}

/// Finds what a text means: a whole id, else a name as it is written, else the beginning of an id, else a name in
/// other letter cases. A name goes before the beginning of an id, so that somebody called `Adda` is never somebody else.
pub(super) fn find<'n, I: Copy + Display + FromStr + PartialEq>(
    thing: Thing,
    text: &str,
    named: impl Iterator<Item = (I, Option<&'n str>)>,
) -> Result<I, HomeError> {
    let named: Vec<(I, Option<&str>)> = named.collect();
    if let Ok(id) = text.parse::<I>()
        && named.iter().any(|(one, _)| *one == id)
    {
        return Ok(id);
    }
    let digits = text.to_ascii_lowercase();
    let is_prefix = is_prefix(&digits);
    let folded = text.to_lowercase();
    let is_it = |rule: Rule, id: &I, name: Option<&str>| match rule {
        Rule::Name => name == Some(text),
        Rule::Prefix => is_prefix && id.to_string().starts_with(&digits),
        Rule::NameInAnyCase => name.is_some_and(|name| name.to_lowercase() == folded),
    };
    for rule in [Rule::Name, Rule::Prefix, Rule::NameInAnyCase] {
        let mut found = named.iter().filter(|(id, name)| is_it(rule, id, *name));
        match (found.next(), found.next()) {
            (Some((id, _)), None) => return Ok(*id),
            (Some(_), Some(_)) => return Err(HomeError::Ambiguous(thing)),
            (None, _) => {}
        }
    }
    Err(HomeError::NotFound(thing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_means_an_id_a_name_or_the_beginning_of_an_id_and_never_two() {
        let id = |byte: u8, last: u8| {
            let mut bytes = [byte; 16];
            bytes[15] = last;
            ParticipantId::from_bytes(bytes)
        };
        let all = [
            (id(0xad, 1), Some("Sam")),
            (id(0xad, 2), Some("sam")),
            (id(0xda, 3), Some("Abby")),
            (id(0xbb, 4), Some("Adad")),
            (id(0xcc, 5), None),
            (id(0xdd, 6), Some("Twin")),
            (id(0xde, 7), Some("Twin")),
        ];
        let find =
            |text: &str| find(Thing::Participant, text, all.iter().copied()).map_err(|e| e.to_string());
        assert_eq!(find(&id(0xad, 2).to_string()), Ok(id(0xad, 2)));
        assert_eq!(find("Sam"), Ok(id(0xad, 1)));
        assert_eq!(find("ABBY"), Ok(id(0xda, 3)));
        assert_eq!(find("DADA"), Ok(id(0xda, 3)));
        assert_eq!(find("Adad"), Ok(id(0xbb, 4)), "a name goes before the beginning of an id");
        assert_eq!(find("cccc"), Ok(id(0xcc, 5)));
        let ambiguous = Err(HomeError::Ambiguous(Thing::Participant).to_string());
        for several in ["adad", "SAM", "Twin"] {
            assert_eq!(find(several), ambiguous, "{several}");
        }
        let nothing = Err(HomeError::NotFound(Thing::Participant).to_string());
        for none in ["", "ccc", "Nobody", "cccg", &id(1, 1).to_string()] {
            assert_eq!(find(none), nothing, "{none}");
        }
    }
}
