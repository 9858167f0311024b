//! The direction of dependency between packages, as ARCHITECTURE.md draws it.

#![allow(
    clippy::print_stdout,
    reason = "whoever runs this test with --nocapture reads which packages are planned"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::house;

/// What one package of the workspace may lean on.
struct Arrow {
    package: &'static str,
    /// Packages of the workspace that it may name as a dependency, for the library and for its tests alike.
    may_name: &'static [&'static str],
    /// Packages that it must not reach, however far the way, outside its own tests.
    never_reaches: &'static [&'static str],
}

const ALL: &[&str] = &[
    "thicket-protocol",
    "thicket-core",
    "thicket-client",
    "thicket-ffi",
    "thicket-sync-server",
    "thicket-cli",
    "thicket-tests",
];

/// What would let a relay read a note: the notebook itself, its documents, its seals.
const READS_NOTES: &[&str] = &["thicket-core", "automerge", "hpke"];

/// Every package that there is or that is planned; another one fails the test until its arrow stands here.
const ARROWS: &[Arrow] = &[
    Arrow {
        package: "thicket-protocol",
        may_name: &[],
        never_reaches: &["thicket-core", "automerge", "hpke", "tokio", "quinn", "rusqlite"],
    },
    Arrow { package: "thicket-core", may_name: &["thicket-protocol"], never_reaches: &["tokio", "quinn"] },
    Arrow { package: "thicket-client", may_name: &["thicket-protocol", "thicket-core"], never_reaches: &[] },
    Arrow { package: "thicket-ffi", may_name: &["thicket-core", "thicket-client"], never_reaches: &[] },
    Arrow { package: "thicket-sync-server", may_name: &["thicket-protocol"], never_reaches: READS_NOTES },
    Arrow {
        package: "thicket-cli",
        // The demo runs a server of its own beside two members.
        may_name: &["thicket-protocol", "thicket-core", "thicket-client", "thicket-sync-server"],
        never_reaches: &[],
    },
    Arrow { package: "thicket-tests", may_name: ALL, never_reaches: &[] },
    Arrow { package: "xtask", may_name: ALL, never_reaches: &[] },
];

/// The packages as cargo resolves them for this machine, from what the build already fetched.
static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .current_dir(house::root())
        .other_options(vec![
            "--locked".to_owned(),
            "--offline".to_owned(),
            "--filter-platform".to_owned(),
            host_platform(),
        ])
        .exec()
        .expect("cargo describes its own workspace")
});

/// The target triple of this machine.
fn host_platform() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).arg("-vV").output().expect("rustc is there: it built this test").stdout;
    let told = String::from_utf8(told).expect("rustc speaks UTF-8");
    told.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host").to_owned()
}

/// Every package by its name: whom it names as a dependency, and whom it reaches outside tests.
struct Graph {
    named: BTreeMap<String, BTreeSet<String>>,
    reached: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Reads the workspace's own packages out of cargo's metadata.
    fn read(metadata: &Metadata) -> Self {
        let names: BTreeMap<&PackageId, &str> =
            metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
        let resolve = metadata.resolve.as_ref().expect("cargo resolved the workspace");
        let links: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
            .nodes
            .iter()
            .map(|node| {
                let beyond_tests = node
                    .deps
                    .iter()
                    .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development));
                (&node.id, beyond_tests.map(|dep| &dep.pkg).collect())
            })
            .collect();
        let (mut named, mut reached) = (BTreeMap::new(), BTreeMap::new());
        for package in metadata.workspace_packages() {
            named.insert(
                package.name.to_string(),
                package.dependencies.iter().map(|dependency| dependency.name.clone()).collect(),
            );
            let mut seen = BTreeSet::new();
            let mut open = vec![&package.id];
            while let Some(id) = open.pop() {
                for &next in links.get(id).into_iter().flatten() {
                    if seen.insert(next) {
                        open.push(next);
                    }
                }
            }
            let seen =
                seen.into_iter().map(|id| names.get(id).copied().expect("a node has a package").to_owned());
            reached.insert(package.name.to_string(), seen.collect());
        }
        Self { named, reached }
    }

    /// Every breach of the arrows, in words.
    fn breaches(&self, arrows: &[Arrow]) -> Vec<String> {
        let mut breaches = Vec::new();
        for (package, named) in &self.named {
            let Some(arrow) = arrows.iter().find(|arrow| arrow.package == package) else {
                breaches.push(format!("{package} has no arrow: give it one here and in ARCHITECTURE.md"));
                continue;
            };
            for other in named.iter().filter(|name| arrows.iter().any(|arrow| arrow.package == **name)) {
                if !arrow.may_name.contains(&other.as_str()) {
                    breaches.push(format!("{package} names {other}"));
                }
            }
            let reached = self.reached.get(package).into_iter().flatten();
            for other in reached.filter(|name| arrow.never_reaches.contains(&name.as_str())) {
                breaches.push(format!("{package} reaches {other}"));
            }
        }
        breaches
    }
}

#[test]
fn dependencies_point_the_way_architecture_draws_them() {
    let graph = Graph::read(&METADATA);
    for arrow in ARROWS.iter().filter(|arrow| !graph.named.contains_key(arrow.package)) {
        println!("{} is planned; it may name {:?}", arrow.package, arrow.may_name);
    }
    assert_eq!(graph.breaches(ARROWS), Vec::<String>::new());
}

/// Guards the guard: a graph read empty would hold every arrow.
#[test]
fn the_graph_reaches_what_core_is_known_to_link() {
    let graph = Graph::read(&METADATA);
    for known in ["thicket-protocol", "automerge", "hpke", "minicbor", "minicbor-derive"] {
        let reached = graph.reached.get("thicket-core").expect("core is in the workspace");
        assert!(reached.contains(known), "core reaches {known}");
    }
}

#[track_caller]
fn breaks(package: &str, named: &[&str], reached: &[&str], expect: &str) {
    let of = |names: &[&str]| {
        BTreeMap::from([(package.to_owned(), names.iter().copied().map(str::to_owned).collect())])
    };
    let graph = Graph { named: of(named), reached: of(reached) };
    assert_eq!(graph.breaches(ARROWS), [expect]);
}

#[test]
fn a_package_without_an_arrow_is_refused() {
    breaks("thicket-util", &[], &[], "thicket-util has no arrow: give it one here and in ARCHITECTURE.md");
}

#[test]
fn a_server_that_can_read_notes_is_refused() {
    breaks("thicket-sync-server", &["thicket-core"], &[], "thicket-sync-server names thicket-core");
    for way in READS_NOTES {
        breaks("thicket-sync-server", &[], &[way], &format!("thicket-sync-server reaches {way}"));
        breaks("thicket-protocol", &[], &[way], &format!("thicket-protocol reaches {way}"));
    }
}

#[test]
fn a_core_that_links_a_runtime_or_sockets_is_refused() {
    breaks("thicket-core", &[], &["tokio"], "thicket-core reaches tokio");
    breaks("thicket-core", &[], &["quinn"], "thicket-core reaches quinn");
    breaks("thicket-core", &["thicket-client"], &[], "thicket-core names thicket-client");
}
