//! Two phones and a server: the surface as apps call it, over real sockets.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use thicket_ffi::{
    About, Activity, Actor, Channel, ConsentAct, ConsentBound, ConsentMode, ConsentTerms, FeedChange,
    Founding, Hold, Home, InviteTrouble, KeyStore, Layer, MemberRole, NewEvent, NewNote, NewParticipant,
    NoteField, NoteId, NotebookId, NotesWanted, Observed, OfflineWhy, ParticipantId, ParticipantKind, Prose,
    Provenance, Realm, Splice, StampStatus, ThicketError, Unlock, UseLeft, WithdrawalTerms,
};
use thicket_sync_server::{Config, Running, Server};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A key store in memory, of one key.
#[derive(Default)]
struct SoftKey(Mutex<Vec<u8>>);

impl KeyStore for SoftKey {
    fn wrap(&self, _: String, key: Vec<u8>) -> Result<Vec<u8>, ThicketError> {
        *self.0.lock().expect("nobody fell") = key;
        Ok(Vec::new())
    }

    fn unwrap(&self, _: String, _: Vec<u8>) -> Result<Vec<u8>, ThicketError> {
        Ok(self.0.lock().expect("nobody fell").clone())
    }

    fn forget(&self, _: String) -> Result<(), ThicketError> {
        Ok(())
    }
}

fn unlock() -> Unlock {
    Unlock::ByKeyStore { key_store: Arc::new(SoftKey::default()) }
}

async fn serve() -> (Running, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let config = Config { folder: folder.path().to_path_buf(), listen: ([127, 0, 0, 1], 0).into() };
    (Server::start(config).await.expect("it starts"), folder)
}

fn path(folder: &TempDir) -> String {
    folder.path().to_str().expect("a path of text").to_owned()
}

fn in_an_hour() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from((since + Duration::from_secs(3_600)).as_millis()).expect("it is earlier than the year 9999")
}

/// One phone and its folder.
struct Phone {
    home: Arc<Home>,
    notebook: NotebookId,
    #[expect(dead_code, reason = "held until the phone goes")]
    folder: TempDir,
}

impl Phone {
    async fn found(server: &Running) -> Self {
        let founding = Founding {
            team: "Team".to_owned(),
            member: "Ada".to_owned(),
            device: "Phone".to_owned(),
            notebook: "Study".to_owned(),
            realm: Realm::Research,
        };
        let folder = TempDir::new().expect("a folder");
        let home = Home::create(path(&folder), founding, unlock(), 60).await.expect("a home");
        home.use_server(server.url().to_owned()).await.expect("no server knows the team");
        let phone = Self { notebook: only_notebook(&home).await, home, folder };
        phone.sync().await;
        phone
    }

    /// Lets a colleague in, and gives their phone its keys.
    async fn admit(&self) -> Self {
        let invited =
            self.home.invite_member(MemberRole::Fieldworker, in_an_hour(), None).await.expect("a code");
        let folder = TempDir::new().expect("a folder");
        let join = |code: &str, folder: &TempDir| {
            Home::join(path(folder), code.to_owned(), "Bo".to_owned(), "Phone".to_owned(), unlock(), 60)
        };
        let home = join(&invited.code, &folder).await.expect("the code is one");
        // The connection of whoever invited stays, so the keys may come with the first sync already.
        if home.finish_join(None).await.expect("it is admitted").waits_for_keys {
            self.sync().await;
            assert!(!home.sync(None).await.expect("the server is there").waits_for_keys);
        }
        let spent = TempDir::new().expect("a folder");
        let second = join(&invited.code, &spent).await.expect("the code is one").finish_join(None).await;
        assert_eq!(second, Err(ThicketError::InviteRefused { trouble: InviteTrouble::Spent }));
        Self { notebook: only_notebook(&home).await, home, folder }
    }

    async fn sync(&self) {
        let outcome = self.home.sync(None).await.expect("the server is there");
        assert!(outcome.is_up_to_date, "{outcome:?}");
    }

    async fn participant(&self, pseudonym: &str) -> ParticipantId {
        let new = NewParticipant {
            pseudonym: pseudonym.to_owned(),
            kind: ParticipantKind::Client,
            age: None,
            gender: None,
            real_name: None,
        };
        self.home.add_participant(self.notebook.clone(), new).await.expect("the name is free")
    }

    async fn agree(&self, participant: &ParticipantId) {
        let terms = ConsentTerms {
            participant: participant.clone(),
            activity: Activity::Observation,
            mode: ConsentMode::Verbal,
            scope: Vec::new(),
            bound: ConsentBound::WholeNotebook,
            at: day(),
        };
        self.home.agree(self.notebook.clone(), terms).await.expect("it is recorded");
    }

    async fn write(&self, text: &str, about: About) -> NoteId {
        let new = NewNote {
            notebook: self.notebook.clone(),
            encounter: None,
            title: Prose::default(),
            text: Prose { text: text.to_owned(), ..Prose::default() },
            about,
            layer: Layer::Observation,
            observed: day(),
            provenance: Provenance::Typed,
        };
        self.home.write_note(new).await.expect("it is taken").note
    }

    /// Waits until the home has come as far.
    async fn until(&self, mut has: impl AsyncFnMut(&Self) -> bool) {
        let feed = self.home.feed().expect("it is open");
        while !has(self).await {
            feed.next().await.expect("it is open");
        }
    }

    async fn status_of(&self, note: &NoteId) -> StampStatus {
        self.home.note(note.clone()).await.expect("it is there").stamp.status
    }

    async fn listed(&self) -> Vec<String> {
        let page = self.home.notes(NotesWanted::default(), None, 50).await.expect("a page");
        page.notes.into_iter().map(|row| row.title).collect()
    }
}

async fn only_notebook(home: &Home) -> NotebookId {
    home.notebooks().await.expect("it is open").into_iter().next().expect("one notebook").id
}

fn day() -> Observed {
    Observed::OnDay { day: "2026-11-25".to_owned() }
}

fn run(story: impl Future<Output = ()>) {
    Runtime::new().expect("a runtime").block_on(async { timeout(PATIENCE, story).await.expect("it ends") });
}

#[test]
fn a_note_reaches_the_colleague_and_a_withdrawal_on_their_phone_puts_it_on_hold_here() {
    run(async {
        let (server, _data) = serve().await;
        let ada = Phone::found(&server).await;
        let bo = ada.admit().await;
        let sam = ada.participant("Sam").await;
        let about = About::These { participants: vec![sam.clone()] };
        let waits = ada.write("He waved.", about).await;
        ada.sync().await;
        bo.sync().await;
        assert_eq!(bo.listed().await, Vec::<String>::new(), "nobody asked Sam");

        // Bo asks at the door; Ada's note goes by itself when the answer comes to her phone.
        bo.agree(&sam).await;
        ada.until(async |ada| ada.status_of(&waits).await == StampStatus::Valid).await;
        bo.until(async |bo| bo.listed().await == ["He waved."]).await;
        assert_eq!(bo.home.note(waits.clone()).await.expect("it came").author_name, "Ada");

        let terms = WithdrawalTerms {
            effective_from: None,
            channel: Channel::Telephone,
            hold: Hold::Keep,
            use_left: UseLeft::None,
            future_collection: false,
            cut_off_applied: false,
            reason: None,
        };
        let act = ConsentAct::TookBack { activities: Vec::new(), encounter: None, terms };
        let event = NewEvent { participant: sam, at: day(), actor: Actor::Participant, act };
        bo.home.record_event(bo.notebook.clone(), event).await.expect("it is recorded");
        ada.until(async |ada| ada.status_of(&waits).await == StampStatus::OnHold).await;
        let closed = bo.home.note(waits).await.map(drop);
        assert_eq!(closed, Err(ThicketError::NoConsent { status: StampStatus::OnHold }));
    });
}

#[test]
fn a_colleagues_text_that_comes_in_mid_word_is_kept_beside_every_key() {
    run(async {
        let (server, _data) = serve().await;
        let ada = Phone::found(&server).await;
        let bo = ada.admit().await;
        let note = ada.write("End.", About::Nobody).await;
        ada.sync().await;
        bo.sync().await;
        let editor = Arc::clone(&bo.home).edit(note.clone()).await.expect("it can be written in");
        let key = |at: u32, text: &str| {
            vec![Splice { at, delete: 0, insert: Prose { text: text.to_owned(), ..Prose::default() } }]
        };
        editor.splice(NoteField::Text, key(4, " Bo typ")).await.expect("it is taken");

        let hers = Arc::clone(&ada.home).edit(note.clone()).await.expect("it can be written in");
        hers.splice(NoteField::Text, key(0, "Ada began. ")).await.expect("it is taken");
        hers.commit().await.expect("it is saved");
        bo.until(async |bo| bo.home.note(note.clone()).await.expect("it is there").text.starts_with("Ada"))
            .await;

        let stale = editor.splice(NoteField::Text, key(11, "ed.")).await;
        assert!(matches!(stale, Err(ThicketError::Conflict { .. })), "{stale:?}");
        let editor = Arc::clone(&bo.home).edit(note.clone()).await.expect("it can be written in");
        assert_eq!(editor.prose(NoteField::Text).text, "Ada began. End. Bo typ");
        editor.splice(NoteField::Text, key(22, "ed.")).await.expect("it is taken");
        editor.commit().await.expect("it is saved");
        let both = "Ada began. End. Bo typed.";
        ada.until(async |ada| ada.home.note(note.clone()).await.expect("it is there").text == both).await;
    });
}

#[test]
fn what_is_written_while_the_connection_stays_comes_to_the_colleague_by_itself() {
    run(async {
        let (server, _data) = serve().await;
        let ada = Phone::found(&server).await;
        let bo = ada.admit().await;
        ada.sync().await;
        bo.sync().await;
        ada.write("Sent at once.", About::Nobody).await;
        bo.until(async |bo| bo.listed().await == ["Sent at once."]).await;
    });
}

#[test]
fn a_server_that_went_away_keeps_nobody_from_writing_and_is_told_as_offline() {
    run(async {
        let (server, _data) = serve().await;
        let ada = Phone::found(&server).await;
        let feed = ada.home.feed().expect("it is open");
        server.shutdown().await;
        while feed.next().await.expect("it is open") != FeedChange::WentOffline {}
        ada.write("Written offline.", About::Nobody).await;
        let offline = ada.home.sync(Some(2_000)).await;
        assert!(
            matches!(
                offline,
                Err(ThicketError::Offline { why: OfflineWhy::Unreachable | OfflineWhy::TimedOut })
            ),
            "{offline:?}"
        );
        assert_eq!(ada.listed().await, ["Written offline."]);
        let status = ada.home.status().await.expect("it is open");
        assert!(status.spaces.iter().any(|space| space.unsent > 0), "{status:?}");
    });
}
