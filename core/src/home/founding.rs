//! Founding a team of one: everything of it is drawn before a file of its home is there.

use rusqlite::Transaction;
use thicket_protocol::governance::{Act, Author, Entry, EpochTurn, NewSpace, Realm, SpaceKind};
use thicket_protocol::ids::{DeviceId, Hash, MemberId, NotebookId, SpaceId, TeamId};
use thicket_protocol::keys::{SpaceEpoch, vault_hash};
use thicket_protocol::team::Team;

use super::HomeError;
use super::team::{draw_spaces, notebook_kinds, notebook_objects, notebook_spaces, write_entry};
use crate::entropy::Entropy;
use crate::name::Name;
use crate::object::{Envelope, Object, SignedObject};
use crate::ring::RingContents;
use crate::secret::{EpochKey, HeldEpoch, VaultKey};
use crate::store::core_db::{self, Sealer};
use crate::things::{DeviceName, MemberName};
use crate::time::Moment;

/// What a new team begins with.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The team's name.
    pub team: Name,
    /// The first member's name.
    pub member: Name,
    /// The device's name.
    pub device: Name,
    /// The first notebook's name.
    pub notebook: Name,
    /// Its realm.
    pub realm: Realm,
}

/// What a new team is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Founded {
    /// The team.
    pub team: TeamId,
    /// The first member.
    pub member: MemberId,
    /// The device.
    pub device: DeviceId,
    /// The first notebook.
    pub notebook: NotebookId,
}

/// A team of one before its home stands: all that core.db holds of it.
pub(super) struct Foundation {
    pub(super) founded: Founded,
    entries: Vec<(Entry, Vec<Vec<u8>>)>,
    roster: SpaceId,
    /// The content key of the roster: the genesis stages no vault, since a row is bound to the team.
    roster_key: VaultKey,
    objects: Vec<SignedObject>,
}

impl Foundation {
    /// Draws a team of one with its first notebook; the epochs' keys, the team and the member go into the ring's contents.
    pub(super) fn draw(
        founding: &Founding,
        secrets: &mut RingContents,
        now: Moment,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, HomeError> {
        let signer = secrets.identity.signer();
        let (key, member) = (signer.public_key(), MemberId::from_bytes(entropy.bytes()));
        let device = DeviceId::derive(&key);
        let (epoch_key, roster_key) = (EpochKey::make(entropy), VaultKey::make(entropy));
        let at = SpaceEpoch { space: SpaceId::from_bytes(entropy.bytes()), epoch: 1 };
        let (commit, content_key) = (epoch_key.commit_in_genesis(at), roster_key.id());
        let vault = vault_hash([]);
        let epoch = EpochTurn { space: at.space, epoch: at.epoch, commit, content_key, vault, made_from: 0 };
        let roster = NewSpace { kind: SpaceKind::Roster, owner: None, epoch };
        let nonce = Hash::from_bytes(entropy.bytes());
        let act = Act::Genesis { member, device: key, roster, nonce };
        let genesis = Entry::genesis(act, device, &signer)?;
        let mut team = Team::found(&genesis)?;
        secrets.team = team.id();
        secrets.member = Some(member);
        secrets.epochs.push(HeldEpoch { space: at.space, epoch: at.epoch, key: epoch_key });

        let notebook = NotebookId::from_bytes(entropy.bytes());
        let kinds = notebook_kinds(member);
        let (staged, held) = draw_spaces(&team.id(), notebook, founding.realm, &kinds, entropy)?;
        secrets.epochs.extend(held);
        let author = Author::Device(device);
        let second = Entry::next(team.id(), team.head(), author, staged.act.clone(), &signer)?;
        team.apply(&second)?;

        let Founding { team: team_name, member: name, device: device_name, notebook: title, realm } =
            founding.clone();
        let mut objects = vec![
            (at.space, Object::TeamName(team_name)),
            (at.space, Object::MemberName(MemberName { member, name })),
            (at.space, Object::DeviceName(DeviceName { device, member, name: device_name })),
        ];
        let spaces = notebook_spaces(&staged.act, at.space);
        objects.extend(notebook_objects(spaces, notebook, title, realm));
        let sign =
            |(space, what)| SignedObject::sign(Envelope::new(space, member, device, now, what), &signer);
        Ok(Self {
            founded: Founded { team: team.id(), member, device, notebook },
            entries: vec![(genesis, Vec::new()), (second, staged.packs)],
            roster: at.space,
            roster_key,
            objects: objects.into_iter().map(sign).collect::<Result<_, _>>()?,
        })
    }

    /// Writes all of it.
    pub(super) fn write(&self, tx: &Transaction<'_>, sealer: &mut Sealer<'_>) -> Result<(), HomeError> {
        for (entry, packs) in &self.entries {
            write_entry(tx, entry, packs, false)?;
        }
        core_db::add_own_key(tx, sealer, self.roster, &self.roster_key)?;
        for object in &self.objects {
            let space = object.envelope().space;
            core_db::add_object(tx, sealer, space, object.hash(), &object.to_wire())?;
        }
        Ok(())
    }
}
