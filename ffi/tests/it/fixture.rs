//! Homes to test with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use thicket_ffi::{
    About, Activity, Actor, Channel, ConsentAct, ConsentBound, ConsentMode, ConsentTerms, Editor, Founding,
    Hold, Home, KeyStore, Layer, NewEvent, NewNote, NewParticipant, NoteField, NoteId, NotebookId, Observed,
    ParticipantId, ParticipantKind, Prose, Provenance, Realm, Splice, ThicketError, Token, TokenAt, Unlock,
    UseLeft, WithdrawalTerms,
};

/// A key store in memory: it wraps by turning bits, which is enough to tell a wrapped key from a plain one.
#[derive(Debug, Default)]
pub(crate) struct SoftKeys(pub(crate) Mutex<BTreeMap<String, u8>>);

impl KeyStore for SoftKeys {
    fn wrap(&self, name: String, key: Vec<u8>) -> Result<Vec<u8>, ThicketError> {
        self.0.lock().expect("nobody fell").insert(name, 0x5a);
        Ok(key.into_iter().map(|byte| byte ^ 0x5a).collect())
    }

    fn unwrap(&self, name: String, wrapped: Vec<u8>) -> Result<Vec<u8>, ThicketError> {
        let turned = self.0.lock().expect("nobody fell").get(&name).copied().ok_or(ThicketError::KeyGone)?;
        Ok(wrapped.into_iter().map(|byte| byte ^ turned).collect())
    }

    fn forget(&self, name: String) -> Result<(), ThicketError> {
        self.0.lock().expect("nobody fell").remove(&name);
        Ok(())
    }
}

/// A home of a team of one, and what opens it again.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    pub(crate) keys: Arc<SoftKeys>,
    pub(crate) home: Arc<Home>,
    pub(crate) notebook: NotebookId,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let keys = Arc::new(SoftKeys::default());
        let home = Home::create(path(&folder), founding(), by(&keys), 60).await.expect("a home");
        let notebook = home.notebooks().await.expect("it is open")[0].id.clone();
        Self { folder, keys, home, notebook }
    }

    /// Lets go of the home as a killed app does, and opens the folder anew.
    pub(crate) async fn reopen(self) -> Self {
        let Self { folder, keys, home, notebook } = self;
        drop(home);
        let home = open(&folder, &keys).await.expect("it opens");
        Self { folder, keys, home, notebook }
    }

    pub(crate) async fn participant(&self, pseudonym: &str) -> ParticipantId {
        let new = NewParticipant {
            pseudonym: pseudonym.to_owned(),
            kind: ParticipantKind::Client,
            age: None,
            gender: None,
            real_name: None,
        };
        self.home.add_participant(self.notebook.clone(), new).await.expect("the name is free")
    }

    pub(crate) fn note(&self, text: &str, about: About) -> NewNote {
        NewNote {
            notebook: self.notebook.clone(),
            encounter: None,
            title: Prose::default(),
            text: plain(text),
            about,
            layer: Layer::Observation,
            observed: day(),
            provenance: Provenance::Typed,
        }
    }

    pub(crate) async fn write(&self, text: &str, about: About) -> NoteId {
        self.home.write_note(self.note(text, about)).await.expect("it is taken").note
    }

    pub(crate) fn terms(&self, participant: &ParticipantId) -> ConsentTerms {
        ConsentTerms {
            participant: participant.clone(),
            activity: Activity::Observation,
            mode: ConsentMode::Verbal,
            scope: Vec::new(),
            bound: ConsentBound::WholeNotebook,
            at: day(),
        }
    }

    pub(crate) fn event(&self, participant: &ParticipantId, act: ConsentAct) -> NewEvent {
        NewEvent { participant: participant.clone(), at: day(), actor: Actor::Participant, act }
    }

    pub(crate) async fn edit(&self, note: &NoteId) -> Arc<Editor> {
        Arc::clone(&self.home).edit(note.clone()).await.expect("it can be written in")
    }

    /// The text of a note, with pseudonyms.
    pub(crate) async fn text(&self, note: &NoteId) -> String {
        self.home.note(note.clone()).await.expect("it is there").text
    }
}

pub(crate) fn by(keys: &Arc<SoftKeys>) -> Unlock {
    let key_store: Arc<dyn KeyStore> = Arc::clone(keys) as Arc<dyn KeyStore>;
    Unlock::ByKeyStore { key_store }
}

pub(crate) fn path(folder: &TempDir) -> String {
    folder.path().to_str().expect("a path of text").to_owned()
}

pub(crate) async fn open(folder: &TempDir, keys: &Arc<SoftKeys>) -> Result<Arc<Home>, ThicketError> {
    Home::open(path(folder), by(keys), 60).await
}

pub(crate) fn founding() -> Founding {
    Founding {
        team: "Team".to_owned(),
        member: "Ada".to_owned(),
        device: "Phone".to_owned(),
        notebook: "Study".to_owned(),
        realm: Realm::Research,
    }
}

pub(crate) fn day() -> Observed {
    Observed::OnDay { day: "2026-11-25".to_owned() }
}

pub(crate) fn plain(text: &str) -> Prose {
    Prose { text: text.to_owned(), ..Prose::default() }
}

pub(crate) fn insert(at: u32, text: &str) -> Splice {
    Splice { at, delete: 0, insert: plain(text) }
}

pub(crate) fn mention(at: u32, participant: &ParticipantId) -> Splice {
    let token = TokenAt { at: 0, token: Token::Person { participant: participant.clone() } };
    let insert = Prose { text: "\u{fffc}".to_owned(), tokens: vec![token], marks: Vec::new() };
    Splice { at, delete: 0, insert }
}

pub(crate) fn withdrawal() -> ConsentAct {
    let terms = WithdrawalTerms {
        effective_from: None,
        channel: Channel::InPerson,
        hold: Hold::Keep,
        use_left: UseLeft::None,
        future_collection: false,
        cut_off_applied: false,
        reason: None,
    };
    ConsentAct::TookBack { activities: Vec::new(), encounter: None, terms }
}

/// Types a text key by key at the end of what stands there.
pub(crate) async fn type_in(editor: &Editor, text: &str) {
    for char in text.chars() {
        let end = editor.prose(NoteField::Text).text.encode_utf16().count();
        let at = u32::try_from(end).expect("a short text");
        editor.splice(NoteField::Text, vec![insert(at, &char.to_string())]).await.expect("it is taken");
    }
}
