#![allow(clippy::indexing_slicing, reason = "tests index what they made")]

use proptest::prelude::*;
use tempfile::TempDir;
use thicket_protocol::address::{InviteCode, ServerAddress};
use thicket_protocol::governance::{Act, Admits, Author, Entry, Role};
use thicket_protocol::ids::{Hash, MemberId, PublicKey};
use thicket_protocol::keys::Pack;
use thicket_protocol::sign::Signer;

use super::super::notes::tests::{Desk, minute, with, wrapping};
use super::super::outbox::prepare_unsent;
use super::super::{About, NoteEdit, Placed};
use super::*;
use crate::body::CommitTime;
use crate::document::{Field, NoteDocument};
use crate::object::{Object, STAMPS_MAX};
use crate::secret::tests::Seeded;
use crate::secret::{EpochKey, HeldEpoch, VaultKey};
use crate::store::core_db::{Sealer, Setting};
use crate::store::derived_db::GenerationRow;
use crate::text::{Splice, units};
use crate::view::{EncodedView, Heads};
use crate::vocabulary::StampStatus;

/// What a server would hold, and how far each device has read.
#[derive(Default)]
struct Relay {
    chains: BTreeMap<SpaceId, Vec<(ChainPoint, Batch)>>,
}

impl Desk {
    /// Another device of the team: of a new member in that role, or of this one. It knows the log, and holds no key yet.
    fn admit(&mut self, role: Option<Role>, seed: u8) -> Self {
        let server =
            ServerAddress::from_parts("localhost", 1, PublicKey::from_bytes([1; 32])).expect("a host");
        let code = InviteCode { secret: [seed; 16], team: self.home.team_id().into(), server };
        let invite = Signer::from_seed(&code.seed());
        let own = self.home.member().expect("a member");
        let admits = role.map_or(Admits::OwnDevice(own), Admits::Member);
        let act = Act::Invite { key: invite.public_key(), admits, expires_ms: u64::MAX };
        let entry = self.home.next_entry(act).expect("a custodian may");
        self.home.append_entry(&entry, &[], false).expect("it follows");

        let folder = TempDir::new().expect("a folder");
        let name = |text: &str| text.parse().expect("a name");
        let (path, entropy) = (folder.path().join("home"), Box::new(Seeded::new(seed)));
        let joined =
            Home::prepare_join(&path, wrapping(), &code, name("Jo"), name("tablet"), minute(0), entropy);
        let mut desk = Self { folder, home: joined.expect("an empty folder"), notebook: self.notebook };
        for row in core_db::entries(self.home.core.read()).expect("read") {
            let entry = Entry::decode(&row.bytes).expect("an entry");
            desk.home.append_entry(&entry, &[], false).expect("it follows");
        }
        let member = role.map_or(own, |_| MemberId::from_bytes([seed; 16]));
        let device = desk.home.secrets.identity.signer().public_key();
        let prekey = desk.home.next_statement().expect("signed").expect("the first").bytes().to_vec();
        let act = match role {
            Some(_) => Act::MemberAdd { member, device, prekey },
            None => Act::DeviceAdd { member, device, prekey },
        };
        let team = self.home.known_team().expect("founded");
        let entry = Entry::next(team.id(), team.head(), Author::Paper(invite.public_key()), act, &invite);
        let entry = entry.expect("small");
        self.home.append_entry(&entry, &[], false).expect("it follows");
        desk.home.append_entry(&entry, &[], false).expect("it follows");
        desk
    }

    /// Makes this member's private space; the other learns of it.
    fn make_private(&mut self, other: &mut Self) {
        let member = self.home.member().expect("admitted");
        let realm = thicket_protocol::governance::Realm::Research;
        let kinds = [(SpaceKind::Private, Some(member))];
        let staged = self.home.stage_spaces(self.notebook, realm, &kinds).expect("staged");
        let entry = self.home.next_entry(staged.act).expect("any member may");
        self.home.append_entry(&entry, &staged.packs, false).expect("it follows");
        other.home.append_entry(&entry, &[], false).expect("it follows");
    }

    /// Gives another device every key that it may hold, as vaults and seals would.
    fn give_keys(&self, other: &mut Self) {
        let member = other.home.member().expect("admitted");
        let team = other.home.team.clone().expect("the log");
        let may = |space: &SpaceId| team.may_hold(&member, space);
        let packs = core_db::packs(self.home.core.read()).expect("read");
        let own = core_db::own_keys(self.home.core.read(), &self.home.secrets.local).expect("read");
        for held in self.home.secrets.epochs.iter().filter(|held| may(&held.space)) {
            if other.home.epoch_key(held.at()).is_none() {
                let key = EpochKey::from_bytes(*held.key.expose());
                other.home.secrets.epochs.push(HeldEpoch { space: held.space, epoch: held.epoch, key });
            }
        }
        let known = core_db::packs(other.home.core.read()).expect("read");
        let Home { core, secrets, entropy, .. } = &mut other.home;
        core.write(Durability::Full, |tx| -> Result<(), HomeError> {
            let mut sealer = Sealer { key: &secrets.local, entropy: &mut **entropy };
            for (space, bytes) in packs.iter().filter(|row| may(&row.0) && !known.contains(row)) {
                let pack = Pack::decode(bytes).expect("a row");
                core_db::add_pack(tx, *space, pack.epoch, pack.ids.len() as u64, bytes)?;
            }
            for (space, key) in own.iter().filter(|(space, _)| may(space)) {
                core_db::remove_own_keys(tx, *space, &[key.id()])?;
                core_db::add_own_key(tx, &mut sealer, *space, key)?;
            }
            Ok(())
        })
        .expect("kept");
        other.home.load_keys().expect("opened");
    }

    fn generation(&self, generation: GenerationId) -> GenerationRow {
        derived_db::generation(self.home.derived.read(), generation).expect("read").expect("a row")
    }

    fn states(&self) -> usize {
        core_db::waiting(self.home.core.read()).expect("read").len()
    }
}

impl Relay {
    fn push(&mut self, desk: &mut Desk) {
        let local = &desk.home.secrets.local;
        let entropy = &mut *desk.home.entropy;
        desk.home
            .core
            .write(Durability::Full, |tx| {
                let mut sealer = Sealer { key: local, entropy };
                core_db::set_setting(tx, &mut sealer, Setting::Incarnation, Some(&[7; 16]))
                    .map_err(HomeError::from)
            })
            .expect("set");
        let spaces = desk.home.known_team().expect("a team").spaces_of(&desk.home.device());
        for space in spaces {
            while let Some(batch) = desk.home.seal_some(space, 1).expect("sealed").pop_front() {
                let chain = self.chains.entry(space).or_default();
                let at = chain.last().map_or(ChainPoint::START, |(at, _)| *at).next(&batch.hash());
                desk.home.place_own(space, batch.head().seq, at, false).expect("placed");
                chain.push((at, batch));
            }
        }
        desk.home.catch_up(minute(20)).expect("caught up");
    }

    /// Everything of others that the desk lacks, ledgers first.
    fn lacking(&self, desk: &Desk) -> Vec<(SpaceId, Vec<(ChainPoint, Batch)>)> {
        let team = desk.home.known_team().expect("a team");
        let mut spaces = team.spaces_of(&desk.home.device());
        spaces.sort_by_key(|space| team.spaces()[space].kind != SpaceKind::Ledger);
        let lacks = |batch: &Batch| {
            let head = batch.head();
            core_db::batch_hash(desk.home.core.read(), head.space, head.device, head.seq)
                .expect("read")
                .is_none()
        };
        let of = |space: &SpaceId| {
            let chain = self.chains.get(space).into_iter().flatten();
            chain.filter(|(_, batch)| lacks(batch)).cloned().collect::<Vec<_>>()
        };
        spaces.into_iter().map(|space| (space, of(&space))).collect()
    }

    fn pull(&self, desk: &mut Desk) {
        for (space, batches) in self.lacking(desk) {
            desk.home.take_batches(space, batches, minute(21)).expect("taken");
        }
        desk.home.release_covered(minute(22)).expect("released");
    }

    /// Both send, then both fetch.
    fn sync(&mut self, one: &mut Desk, two: &mut Desk) {
        for _ in 0..2 {
            self.push(one);
            one.give_keys(two);
            self.push(two);
            two.give_keys(one);
            self.pull(one);
            self.pull(two);
        }
    }
}

/// Two members with all their keys.
fn two() -> (Desk, Desk, Relay) {
    let mut one = Desk::found();
    let mut two = one.admit(Some(Role::Fieldworker), 2);
    one.give_keys(&mut two);
    two.make_private(&mut one);
    (one, two, Relay::default())
}

fn edited(desk: &mut Desk, note: NoteId, text: &str) -> Placed {
    let edit = NoteEdit { text: Some(units(text)), ..NoteEdit::default() };
    desk.home.edit_note(note, edit, minute(3)).expect("edited")
}

#[test]
fn what_two_write_at_the_same_time_is_merged_and_reads_equal() {
    let (mut one, mut two, mut relay) = two();
    let note = one.write(units("It rained."), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    assert_eq!(two.text(note), "It rained.");
    assert_eq!(two.row(note).status, StampStatus::Valid);
    edited(&mut one, note, "It rained a lot.");
    edited(&mut two, note, "Monday. It rained.");
    relay.sync(&mut one, &mut two);
    assert_eq!(one.text(note), "Monday. It rained a lot.");
    assert_eq!(one.rows(&[note]), two.rows(&[note]));
    assert_eq!(one.row(note).heads.len(), 2);
    edited(&mut two, note, "Monday. It rained a lot!");
    relay.sync(&mut one, &mut two);
    assert_eq!(one.text(note), "Monday. It rained a lot!");
    assert_eq!(one.row(note).heads.len(), 1, "an edit brings the heads together");
    assert_eq!(one.rows(&[note]), two.rows(&[note]));
    // Edits that are sent one after the other go on from each other.
    for text in ["a", "ab", "abc"] {
        edited(&mut one, note, text);
        relay.push(&mut one);
        let rows = one.rows(&[note]);
        let parts = rows[0].1.iter().map(|part| (&part.base, &part.result));
        assert_eq!(crate::body::combine_heads(parts), rows[0].0.heads, "no document is loaded for it");
    }
    relay.pull(&mut two);
    assert_eq!((two.text(note), two.row(note).heads.len()), ("abc".to_owned(), 1));
}

#[test]
fn rows_are_a_function_of_the_set_of_records() {
    let (mut one, mut two, mut relay) = two();
    let mut three = one.admit(Some(Role::Fieldworker), 3);
    let entries = core_db::entries(one.home.core.read()).expect("read");
    let known = two.home.known_team().expect("a team").head().seq;
    for row in entries.iter().skip(usize::try_from(known).expect("few") + 1) {
        two.home.append_entry(&Entry::decode(&row.bytes).expect("one"), &[], false).expect("it follows");
    }
    let (sam, abby) = (one.person("Sam", None), one.person("Abby", None));
    let notes = [
        one.write(units("rain"), About::Nobody).note,
        one.write(with(sam, " came"), About::Unsaid).note,
        one.write(with(abby, " came"), About::Unsaid).note,
    ];
    relay.sync(&mut one, &mut two);
    one.consent(sam);
    relay.sync(&mut one, &mut two);
    for round in 0..3 {
        edited(&mut one, notes[0], &format!("rain {round}"));
        edited(&mut two, notes[0], &format!("{round} rain"));
        if round % 2 == 0 {
            relay.sync(&mut one, &mut two);
        } else {
            relay.push(&mut two);
        }
    }
    two.edit(notes[1], with(sam, " went"));
    two.withdraw(sam);
    relay.sync(&mut one, &mut two);
    let expected: Vec<_> = two.rows(&notes).into_iter().filter(|(row, _)| !row.is_private).collect();
    assert_eq!(expected.len(), 2);
    assert_eq!(expected[1].0.status.max(expected[0].0.status), StampStatus::OnHold);

    one.give_keys(&mut three);
    two.give_keys(&mut three);
    let mut lacking = relay.lacking(&three);
    lacking.reverse();
    for (space, mut batches) in lacking {
        batches.reverse();
        for one in batches {
            three.home.take_batches(space, vec![one], minute(30)).expect("taken");
        }
    }
    assert_eq!(three.rows(&notes), expected);
    assert_eq!(three.states(), 0);
    let three = three.reopen(40);
    assert_eq!(three.rows(&notes), expected);
}

#[test]
fn a_draft_ends_merged_with_what_others_wrote_meanwhile() {
    let (mut one, mut two, mut relay) = two();
    let sam = one.person("Sam", None);
    let note = one.write(units("It rained."), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    let named = [units("It rained. "), with(sam, " came.")].concat();
    assert!(one.edit(note, named).is_draft);
    edited(&mut two, note, "Monday. It rained.");
    relay.sync(&mut one, &mut two);
    assert_eq!(one.text(note), "Monday. It rained.");
    assert!(two.rows(&[note]).len() == 1, "a draft is its author's alone");
    // The consent is recorded on the other phone.
    two.consent(sam);
    relay.sync(&mut one, &mut two);
    for desk in [&one, &two] {
        assert_eq!(desk.text(note), "Monday. It rained. \u{fffc} came.");
        assert_eq!(desk.row(note).status, StampStatus::Valid);
        assert_eq!(desk.row(note).ever_named, BTreeSet::from([sam]));
    }
}

#[test]
fn two_own_devices_that_release_the_same_note_show_the_same_successor() {
    let mut one = Desk::found();
    let mut two = one.admit(None, 2);
    one.give_keys(&mut two);
    let mut relay = Relay::default();
    let sam = one.person("Sam", None);
    let note = one.write(with(sam, " came"), About::Unsaid).note;
    relay.sync(&mut one, &mut two);
    assert!(two.row(note).is_private, "own devices read the private space");
    let (first, second) = (one.consent(sam), two.consent(sam));
    assert_eq!((first, second), (vec![note], vec![]), "the device that began it lets it out by itself");
    assert!(!two.home.release_note(note, minute(5)).expect("by hand").is_private);
    assert_ne!(one.row(note).generation, two.row(note).generation);
    relay.sync(&mut one, &mut two);
    assert_eq!(one.row(note).generation, two.row(note).generation);
    assert_eq!(one.rows(&[note]), two.rows(&[note]));
    assert_eq!(one.rows(&[note]).len(), 3);
}

#[test]
fn a_note_on_hold_is_not_another_members_to_edit() {
    let (mut one, mut two, mut relay) = two();
    let sam = one.person("Sam", None);
    one.consent(sam);
    let note = one.write(with(sam, " came"), About::Unsaid).note;
    relay.sync(&mut one, &mut two);
    two.withdraw(sam);
    let edit = NoteEdit { text: Some(units("x")), ..NoteEdit::default() };
    let refused = two.home.edit_note(note, edit, minute(3));
    assert!(matches!(refused, Err(HomeError::Consent { status: StampStatus::OnHold })), "{refused:?}");
    relay.sync(&mut one, &mut two);
    assert_eq!(one.row(note).status, StampStatus::OnHold);
    assert!(edited(&mut one, note, "x").is_draft);
}

#[test]
fn without_keys_notes_are_written_all_the_same_and_find_their_place_when_keys_come() {
    let mut one = Desk::found();
    let mut relay = Relay::default();
    let early = one.write(units("early"), About::Nobody).note;
    relay.push(&mut one);
    let mut two = one.admit(Some(Role::Fieldworker), 2);
    let waiting = two.write(units("waiting"), About::Nobody);
    let unsaid = two.write(units("unsaid"), About::Unsaid);
    assert!(waiting.is_private && waiting.stamp.status == StampStatus::Valid);
    two.type_in(unsaid.note, 6, "!");
    relay.pull(&mut two);
    assert!(two.states() > 0, "what came waits for its keys");
    let mut two = two.reopen(3);
    assert_eq!((two.text(waiting.note), two.text(unsaid.note)), ("waiting".to_owned(), "unsaid!".to_owned()));
    one.give_keys(&mut two);
    two.make_private(&mut one);
    // A crash comes before anything was made of the keys.
    let mut two = two.reopen(6);
    assert_eq!(two.states(), 0);
    assert_eq!(two.text(early), "early");
    assert_eq!(two.home.settle_waiting(minute(5)).expect("settled"), [waiting.note]);
    assert!(!two.row(waiting.note).is_private);
    let private = two.row(unsaid.note);
    assert_ne!(private.space.as_bytes(), two.notebook.as_bytes(), "it lies in the private space now");
    relay.sync(&mut one, &mut two);
    assert_eq!(one.text(waiting.note), "waiting");
    let rows = two.rows(&[early, waiting.note, unsaid.note]);
    assert_eq!(two.reopen(4).rows(&[early, waiting.note, unsaid.note]), rows);
}

#[test]
fn a_shared_note_is_pending_until_its_stamp_comes() {
    let (mut one, mut two, mut relay) = two();
    let note = one.write(units("rain"), About::Nobody).note;
    relay.push(&mut one);
    one.give_keys(&mut two);
    let mut lacking = relay.lacking(&two);
    lacking.reverse();
    let mut seen = Vec::new();
    for (space, batches) in lacking {
        two.home.take_batches(space, batches, minute(5)).expect("taken");
        let rows = two.rows(&[note]);
        seen.extend(rows.iter().map(|(row, _)| row.status));
    }
    seen.dedup();
    assert_eq!(seen, [StampStatus::Pending, StampStatus::Valid]);
}

#[test]
fn typing_keeps_its_place_when_others_write_before_it() {
    let (mut one, mut two, mut relay) = two();
    let note = one.write(units("ab"), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    edited(&mut two, note, "first ab");
    relay.push(&mut two);
    one.type_in(note, 1, "-");
    relay.pull(&mut one);
    assert_eq!(one.text(note), "first a-b");
    let splice = Splice { at: 0, delete: 1, insert: units("F") };
    one.home.journal(note, Field::Text, &[splice], minute(6)).expect("journaled");
    one.home.commit_note(note, minute(7)).expect("committed");
    assert_eq!(one.text(note), "First a-b");
}

#[test]
fn batches_that_came_before_a_crash_are_read_after_it() {
    let (mut one, mut two, mut relay) = two();
    let sam = one.person("Sam", None);
    one.consent(sam);
    let notes =
        [one.write(with(sam, " came"), About::Unsaid).note, one.write(units("rain"), About::Nobody).note];
    edited(&mut one, notes[1], "rain again");
    relay.push(&mut one);
    one.give_keys(&mut two);
    for (space, batches) in relay.lacking(&two) {
        let write = two.home.core.write(Durability::Full, |tx| -> Result<(), StoreError> {
            for (at, batch) in &batches {
                core_db::add_batch(tx, batch, Some(*at))?;
                core_db::set_cursor(tx, space, *at)?;
            }
            Ok(())
        });
        write.expect("kept");
    }
    assert!(two.rows(&notes).is_empty());
    let two = two.reopen(5);
    assert_eq!(two.rows(&notes), one.rows(&notes));
}

#[test]
fn stamps_that_wait_one_by_one_travel_together_and_say_what_they_said() {
    let (mut one, mut two, mut relay) = two();
    let sam = one.person("Sam", None);
    one.consent(sam);
    let notes: Vec<NoteId> =
        (0..STAMPS_MAX + 1).map(|of| one.write(units(&format!("rain {of}")), About::Nobody).note).collect();
    let stamps = |desk: &Desk| {
        let db = desk.home.core.read();
        let rows = core_db::objects_after(db, &desk.home.secrets.local, None, 0, usize::MAX).expect("read");
        let objects = rows.iter().map(|row| SignedObject::from_wire(&row.wire).expect("signed here"));
        let count = |object: SignedObject| {
            let Object::Stamps(stamps) = &object.envelope().what else { return None };
            Some(stamps.len())
        };
        objects.filter_map(count).collect::<Vec<usize>>()
    };
    // This one gets a second stamp that names the first, which therefore stays as it is.
    let edit = NoteEdit { text: Some(with(sam, " came")), ..NoteEdit::default() };
    one.home.edit_note(notes[0], edit, minute(3)).expect("edited");
    let before = one.rows(&notes);
    assert_eq!(stamps(&one).len(), STAMPS_MAX + 2);

    one.home.pack_stamps().expect("packed");

    let mut packed = stamps(&one);
    packed.sort_unstable();
    assert_eq!(packed, [1, 1, STAMPS_MAX]);
    assert_eq!(one.rows(&notes), before);
    let mut one = one.reopen(5);
    assert_eq!(one.rows(&notes), before, "read anew");
    one.home.pack_stamps().expect("nothing to pack");
    assert_eq!(stamps(&one).len(), 3);
    relay.sync(&mut one, &mut two);
    assert_eq!(two.rows(&notes), one.rows(&notes));
    let is_valid =
        |desk: &Desk, note: &NoteId| desk.home.note(*note).expect("shown").stamp.status == StampStatus::Valid;
    assert!(notes.iter().all(|note| is_valid(&two, note)), "every stamp came");
}

#[test]
fn what_was_sealed_before_a_crash_is_a_record_after_it() {
    let mut one = Desk::found();
    let mut relay = Relay::default();
    let notes = [one.write(units("rain"), About::Nobody).note, one.write(units("sun"), About::Unsaid).note];
    let path = one.folder.path().join("home");
    one.home.derived.checkpoint().expect("written");
    let old = std::fs::read(path.join(crate::store::DERIVED_FILE)).expect("the file as it was");
    relay.push(&mut one);
    edited(&mut one, notes[0], "rain again");
    let expected = one.rows(&notes);
    let Desk { folder, home, notebook } = one;
    drop(home);
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(path.join(format!("{}{end}", crate::store::DERIVED_FILE)));
    }
    std::fs::write(path.join(crate::store::DERIVED_FILE), old).expect("written");
    let home = Home::open(&path, wrapping(), minute(9), Box::new(Seeded::new(3))).expect("a whole home");
    let one = Desk { folder, home, notebook };
    assert_eq!(one.rows(&notes), expected);
    let unsent = |note: usize| expected[note].1.iter().filter(|part| part.source == Source::Unsent).count();
    assert_eq!((unsent(0), unsent(1)), (1, 0));
}

/// Sends a body as a modified client might.
fn forge(
    desk: &mut Desk,
    space: SpaceId,
    generation: GenerationId,
    body: &NoteBody,
    people: &[ParticipantId],
) {
    let is_full = matches!(body.content, Content::Full(_));
    let people = people.iter().copied().collect();
    let bytes = prepare_unsent(is_full, &people, &body.encode_padded());
    let Home { core, secrets, entropy, .. } = &mut desk.home;
    core.write(Durability::Full, |tx| {
        let mut sealer = Sealer { key: &secrets.local, entropy: &mut **entropy };
        core_db::put_unsent(tx, &mut sealer, space, generation, &bytes).map_err(HomeError::from)
    })
    .expect("kept");
}

fn body_of(desk: &Desk, row: &GenerationRow, change: impl FnOnce(&mut View)) -> NoteBody {
    let mut view = super::super::derive::open_view(row).expect("a view");
    change(&mut view);
    let actor = desk.home.actor(row.generation);
    let mut document =
        NoteDocument::new(actor, &view.meta, &view.title.units(), &view.text.units()).expect("a document");
    let result = document.heads();
    let commits = vec![CommitTime { change: *result.first().expect("one"), at_ms: 1, zone_minutes: 0 }];
    let content = Content::Full(document.save_uncompressed());
    let (view, document, base) = (EncodedView::of(&view), row.generation, Heads::new());
    NoteBody { view, document, base, result, content, commits }
}

#[test]
fn bodies_that_no_honest_device_makes_are_kept_and_not_read() {
    let (mut one, mut two, mut relay) = two();
    let sam = one.person("Sam", None);
    let note = one.write(units("rain"), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    let row = two.row(note);
    let named = |view: &mut View| view.text = crate::text::Prose::from_units(&with(sam, ""));
    let stranger = |view: &mut View| view.meta.author = MemberId::from_bytes([0x77; 16]);
    let draft = |view: &mut View| {
        view.meta.draft_of =
            Some(crate::view::DraftOf { generation: row.generation, heads: row.heads.clone() });
    };
    let elsewhere = |mut body: NoteBody| {
        body.document = GenerationId::from_bytes([3; 16]);
        body
    };
    let nothing = |mut body: NoteBody| {
        body.result = Heads::new();
        body
    };
    let bodies = [
        body_of(&two, &row, named),
        body_of(&two, &row, stranger),
        body_of(&two, &row, draft),
        elsewhere(body_of(&two, &row, |_| {})),
        nothing(body_of(&two, &row, |_| {})),
    ];
    let before = one.rows(&[note]);
    for body in bodies {
        forge(&mut two, row.space, row.generation, &body, &[]);
        relay.push(&mut two);
        relay.pull(&mut one);
        assert_eq!(one.rows(&[note]), before);
        assert_eq!(one.states(), 0, "none of them waits for a key");
    }
    let good = two.write(units("good"), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    assert_eq!(one.text(good), "good", "what comes behind them is read");
}

#[test]
fn a_body_whose_document_is_garbage_hides_and_stops_nothing() {
    let (mut one, mut two, mut relay) = two();
    let note = one.write(units("rain"), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    let row = two.row(note);
    for content in [Content::Full(vec![1, 2, 3]), Content::Changes(vec![vec![9; 40]])] {
        let mut body = body_of(&two, &row, |view| view.title = crate::text::Prose::from_units(&units("lie")));
        body.result = Heads::from([Hash::from_bytes([8; 32])]);
        body.content = content;
        forge(&mut two, row.space, row.generation, &body, &[]);
        relay.push(&mut two);
        relay.pull(&mut one);
        assert_eq!(one.text(note), "rain");
    }
    assert_eq!(edited(&mut one, note, "rain again").generation, row.generation);
    assert_eq!(one.text(note), "rain again");
    let row = one.row(note);
    let rows = one.rows(&[note]);
    let one = one.reopen(9);
    assert_eq!(one.rows(&[note]), rows);
    assert_eq!(one.generation(row.generation).heads, row.heads);
}

#[test]
fn a_view_that_lies_about_its_document_ends_with_the_next_edit() {
    let (mut one, mut two, mut relay) = two();
    let note = one.write(units("rain"), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    let row = two.row(note);
    let space = row.space;
    let mut loaded = two.home.load_document(space, row.generation).expect("loads");
    loaded
        .document
        .splice(Field::Text, &[Splice { at: 4, delete: 0, insert: units(" fell") }])
        .expect("fits");
    let bytes = loaded.prepare(row.generation, minute(3)).expect("prepared");
    let mut body = NoteBody::decode_padded(read_unsent(&bytes).expect("whole").padded).expect("a body");
    let mut view = body.view.open().expect("a view");
    view.text = crate::text::Prose::from_units(&units("sunshine"));
    body.view = EncodedView::of(&view);
    forge(&mut two, space, row.generation, &body, &[]);
    relay.push(&mut two);
    relay.pull(&mut one);
    assert_eq!(one.text(note), "sunshine", "no document is loaded for a list");
    let title = NoteEdit { title: Some(units("Weather")), ..NoteEdit::default() };
    one.home.edit_note(note, title, minute(4)).expect("edited");
    assert_eq!(one.text(note), "rain fell", "an edit loads it, and it is the truth");
}

#[test]
fn a_body_whose_note_key_has_not_come_waits() {
    let (mut one, mut two, mut relay) = two();
    let note = one.write(units("rain"), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    let row = two.row(note);
    let key = VaultKey::make(&mut *two.home.entropy);
    let other: GenerationId = key.id().into();
    let body = body_of(&two, &row, |_| {});
    two.home.keys.insert(row.space, key);
    forge(&mut two, row.space, other, &body, &[]);
    relay.push(&mut two);
    let before = one.rows(&[note]);
    relay.pull(&mut one);
    assert_eq!(one.rows(&[note]), before);
    assert_eq!(one.states(), 1, "a body whose key has not come waits");
    two.give_keys(&mut one);
    let key = VaultKey::from_bytes(*two.home.keys.get(&other.into()).expect("its own").expose());
    one.home.keys.insert(row.space, key);
    one.home.settle_waiting(minute(9)).expect("settled");
    assert_eq!(one.rows(&[note]), before, "and names another document than it is sealed as");
    assert_eq!(one.states(), 0);
}

#[test]
fn two_own_devices_that_end_the_same_draft_write_its_text_once() {
    let mut one = Desk::found();
    let mut two = one.admit(None, 2);
    one.give_keys(&mut two);
    let mut relay = Relay::default();
    let sam = one.person("Sam", None);
    let note = one.write(units("It rained."), About::Nobody).note;
    relay.sync(&mut one, &mut two);
    assert!(one.edit(note, [units("It rained. "), with(sam, " came.")].concat()).is_draft);
    relay.sync(&mut one, &mut two);
    let longer = two.edit(note, [units("It rained a lot. "), with(sam, " came.")].concat());
    assert!(longer.is_draft, "the draft goes on on the other device");
    relay.sync(&mut one, &mut two);
    assert_eq!((one.consent(sam), two.consent(sam)), (vec![note], vec![]));
    assert!(!two.home.release_note(note, minute(5)).expect("by hand").is_draft);
    relay.sync(&mut one, &mut two);
    for desk in [&one, &two] {
        assert_eq!(desk.text(note), "It rained a lot. \u{fffc} came.");
    }
    assert_eq!(one.rows(&[note]), two.rows(&[note]));
}

#[path = "late_tests.rs"]
mod late;

/// What one of two devices does next.
#[derive(Debug, Clone)]
enum Step {
    Edit { desk: usize, at: usize },
    Type { desk: usize, at: usize },
    Name { desk: usize, person: usize },
    Agree { desk: usize, person: usize },
    Commit { desk: usize },
    Push { desk: usize },
    Pull { desk: usize },
    Reopen { desk: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (desk, at, person) = (0usize..2, 0usize..60, 0usize..2);
    prop_oneof![
        4 => (desk.clone(), at.clone()).prop_map(|(desk, at)| Step::Edit { desk, at }),
        4 => (desk.clone(), at).prop_map(|(desk, at)| Step::Type { desk, at }),
        2 => (desk.clone(), person.clone()).prop_map(|(desk, person)| Step::Name { desk, person }),
        1 => (desk.clone(), person).prop_map(|(desk, person)| Step::Agree { desk, person }),
        2 => desk.clone().prop_map(|desk| Step::Commit { desk }),
        4 => desk.clone().prop_map(|desk| Step::Push { desk }),
        4 => desk.clone().prop_map(|desk| Step::Pull { desk }),
        1 => desk.prop_map(|desk| Step::Reopen { desk }),
    ]
}

/// The text that an edit of this device would begin from, with what it typed.
fn typed(desk: &mut Desk, note: NoteId) -> (GenerationRow, Vec<crate::text::Unit>) {
    desk.home.commit_note(note, minute(6)).expect("committed");
    let row = desk.home.edited(note).expect("editable");
    let text = super::super::derive::open_view(&row).expect("a view").text.units();
    (row, text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn two_who_write_offline_lose_no_word_and_end_with_the_same_text(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let (mut one, two, mut relay) = two();
        let people = [one.person("Sam", None), one.person("Abby", None)];
        let note = one.write(units("."), About::Nobody).note;
        let mut desks = [Some(one), Some(two)];
        macro_rules! both { () => { {
            let [one, two] = &mut desks;
            (one.as_mut().expect("open"), two.as_mut().expect("open"))
        } } }
        { let (one, two) = both!(); relay.sync(one, two); }
        let (mut words, mut seed) = (Vec::new(), 50u8);
        for (number, step) in steps.into_iter().enumerate() {
            // One character, so that nothing can be written into the middle of it.
            let word = char::from_u32(0x4e00 + u32::try_from(number).expect("few")).expect("a letter").to_string();
            match step {
                Step::Edit { desk, at } => {
                    let desk = desks[desk].as_mut().expect("open");
                    let (_, mut text) = typed(desk, note);
                    let at = at.min(text.len());
                    text.splice(at..at, units("|"));
                    let splice = Splice { at: 0, delete: 0, insert: units(&word) };
                    prop_assert!(splice.apply(&mut text));
                    desk.edit(note, text);
                    words.push(word);
                }
                Step::Type { desk, at } => {
                    let desk = desks[desk].as_mut().expect("open");
                    let (_, text) = typed(desk, note);
                    let end = u32::try_from(text.len()).expect("short");
                    let splices = [
                        Splice { at: u32::try_from(at).expect("small").min(end), delete: 0, insert: units("!") },
                        Splice { at: end + 1, delete: 0, insert: units(&word) },
                    ];
                    desk.home.journal(note, Field::Text, &splices, minute(6)).expect("journaled");
                    words.push(word);
                }
                Step::Name { desk, person } => {
                    let desk = desks[desk].as_mut().expect("open");
                    let (_, mut text) = typed(desk, note);
                    text.extend(with(people[person], ""));
                    desk.edit(note, text);
                }
                Step::Agree { desk, person } => {
                    desks[desk].as_mut().expect("open").consent(people[person]);
                }
                Step::Commit { desk } => {
                    desks[desk].as_mut().expect("open").home.commit_note(note, minute(7)).expect("committed");
                }
                Step::Push { desk } => {
                    relay.push(desks[desk].as_mut().expect("open"));
                    let (one, two) = both!();
                    one.give_keys(two);
                    two.give_keys(one);
                }
                Step::Pull { desk } => relay.pull(desks[desk].as_mut().expect("open")),
                Step::Reopen { desk } => {
                    seed += 1;
                    let open = desks[desk].take().expect("open");
                    desks[desk] = Some(open.reopen(seed));
                }
            }
        }
        let (one, two) = both!();
        for desk in [&mut *one, &mut *two] {
            typed(desk, note);
        }
        for person in people {
            one.consent(person);
        }
        for _ in 0..2 {
            relay.sync(one, two);
        }
        prop_assert_eq!(one.text(note), two.text(note));
        for word in words {
            let found = one.text(note).matches(&word).count();
            prop_assert!(found >= 1, "{word} is lost from {:?}", one.text(note));
        }
        let shared = |desk: &Desk| -> Vec<_> {
            desk.rows(&[note]).into_iter().filter(|(row, _)| !row.is_private).collect()
        };
        prop_assert_eq!(shared(one), shared(two));
        prop_assert_eq!(one.row(note).status, StampStatus::Valid);
    }
}
