//! What bindings are made of, item by item: a change of it is a change of every app.
#![allow(clippy::wildcard_enum_match_arm, reason = "what uniffi has and the surface does not fails the test")]

use std::fmt::Write as _;
use std::path::PathBuf;

use camino::Utf8PathBuf;
use uniffi_meta::{FieldMetadata, FnParamMetadata, Metadata, Type};

/// The shared library that was built beside this test.
fn library() -> Utf8PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let name = format!("{}thicket_ffi{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path: PathBuf = test.parent().expect("it lies in a folder").join(name);
    path.try_into().expect("a path of text")
}

fn metadata() -> Vec<Metadata> {
    uniffi_bindgen::macro_metadata::extract_from_library(&library()).expect("the library says what it has")
}

fn name(ty: &Type) -> String {
    match ty {
        Type::Optional { inner_type } => format!("{}?", name(inner_type)),
        Type::Sequence { inner_type } => format!("[{}]", name(inner_type)),
        Type::Object { name, .. }
        | Type::Record { name, .. }
        | Type::Enum { name, .. }
        | Type::CallbackInterface { name, .. }
        | Type::Custom { name, .. } => name.clone(),
        simple => format!("{simple:?}"),
    }
}

/// One line of the surface with its documentation below; whatever has none is counted.
struct Listing {
    text: String,
    undocumented: Vec<String>,
}

impl Listing {
    fn item(&mut self, depth: usize, line: &str, docs: Option<&String>) {
        let indent = "    ".repeat(depth);
        writeln!(self.text, "{indent}{line}").expect("a string takes everything");
        match docs {
            Some(docs) => {
                for line in docs.trim().lines() {
                    writeln!(self.text, "{}", format!("{indent}  | {}", line.trim()).trim_end())
                        .expect("a string takes everything");
                }
            }
            None => self.undocumented.push(line.to_owned()),
        }
    }

    fn fields(&mut self, depth: usize, fields: &[FieldMetadata]) {
        for field in fields {
            let default = if field.default.is_some() { " = default" } else { "" };
            let line = format!("{}: {}{default}", field.name, name(&field.ty));
            self.item(depth, &line, field.docstring.as_ref());
        }
    }
}

fn call(of: &str, inputs: &[FnParamMetadata], gives: Option<&Type>, throws: Option<&Type>) -> String {
    let inputs: Vec<_> = inputs.iter().map(|input| format!("{}: {}", input.name, name(&input.ty))).collect();
    let gives = gives.map(|ty| format!(" -> {}", name(ty))).unwrap_or_default();
    let throws = throws.map(|ty| format!(" throws {}", name(ty))).unwrap_or_default();
    format!("{of}({}){gives}{throws}", inputs.join(", "))
}

fn list(all: &[Metadata]) -> Listing {
    let mut listing = Listing { text: String::new(), undocumented: Vec::new() };
    // Nobody hears of methods in the order of the library: objects first, each with what it does, then values.
    let mut sorted: Vec<&Metadata> = all.iter().collect();
    sorted.sort_by_key(|one| rank(one));
    for one in sorted {
        match one {
            Metadata::Func(f) => {
                let line = call(&f.name, &f.inputs, f.return_type.as_ref(), f.throws.as_ref());
                listing.item(0, &format!("fn {line}"), f.docstring.as_ref());
            }
            Metadata::Object(object) => {
                listing.item(0, &format!("object {}", object.name), object.docstring.as_ref());
            }
            Metadata::Constructor(c) => {
                let of = if c.is_async { "async constructor " } else { "constructor " };
                let line = call(&format!("{of}{}", c.name), &c.inputs, None, c.throws.as_ref());
                listing.item(1, &line, c.docstring.as_ref());
            }
            Metadata::Method(m) => {
                let of = if m.is_async { "async " } else { "" };
                let line =
                    call(&format!("{of}{}", m.name), &m.inputs, m.return_type.as_ref(), m.throws.as_ref());
                listing.item(1, &line, m.docstring.as_ref());
            }
            Metadata::TraitMethod(m) => {
                let line = call(&m.name, &m.inputs, m.return_type.as_ref(), m.throws.as_ref());
                listing.item(1, &line, m.docstring.as_ref());
            }
            Metadata::Record(record) => {
                listing.item(0, &format!("record {}", record.name), record.docstring.as_ref());
                listing.fields(1, &record.fields);
            }
            Metadata::Enum(words) => {
                let kind = if words.shape.is_error() { "error" } else { "enum" };
                listing.item(0, &format!("{kind} {}", words.name), words.docstring.as_ref());
                for variant in &words.variants {
                    listing.item(1, &variant.name, variant.docstring.as_ref());
                    listing.fields(2, &variant.fields);
                }
            }
            Metadata::CustomType(custom) => {
                let line = format!("alias {} = {}", custom.name, name(&custom.builtin));
                listing.item(0, &line, Some(&custom.docstring.clone().unwrap_or_default()));
            }
            other => panic!("the surface has something new: {other:?}"),
        }
    }
    listing
}

/// Where an item stands: with its object, in the order of names.
fn rank(one: &Metadata) -> (u8, String, u8, String) {
    let (group, of, step, name) = match one {
        Metadata::Object(object) => (0, &object.name, 0, ""),
        Metadata::Constructor(c) => (0, &c.self_name, 1, c.name.as_str()),
        Metadata::Method(m) => (0, &m.self_name, 2, m.name.as_str()),
        Metadata::TraitMethod(m) => (0, &m.trait_name, 2, m.name.as_str()),
        Metadata::Func(f) => (1, &f.name, 0, ""),
        Metadata::Record(record) => (2, &record.name, 0, ""),
        Metadata::Enum(words) => (if words.shape.is_error() { 3 } else { 2 }, &words.name, 0, ""),
        Metadata::CustomType(custom) => (4, &custom.name, 0, ""),
        other => panic!("the surface has something new: {other:?}"),
    };
    (group, of.clone(), step, name.to_owned())
}

fn items() -> Vec<Metadata> {
    let all = metadata().into_iter();
    all.filter(|one| !matches!(one, Metadata::Namespace(_))).collect()
}

#[test]
fn the_surface_is_the_one_that_was_reviewed() {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("surface", list(&items()).text);
    });
}

#[test]
fn every_item_of_the_surface_is_documented() {
    assert_eq!(list(&items()).undocumented, Vec::<String>::new());
}

/// Kotlin does not compile a field called `message`, a variant that has the name of a type, nor a method that its own objects have.
#[test]
fn nothing_has_a_name_that_a_binding_cannot_have() {
    let all = items();
    let types: Vec<&str> = all.iter().filter_map(type_name).collect();
    for one in &all {
        if let Metadata::Enum(words) = one {
            let has_fields = words.variants.iter().any(|variant| !variant.fields.is_empty());
            for variant in &words.variants {
                let collides =
                    (has_fields || words.shape.is_error()) && types.contains(&variant.name.as_str());
                assert!(!collides, "{}::{} has the name of a type", words.name, variant.name);
                let message = variant.fields.iter().any(|field| field.name == "message");
                assert!(!message, "{}::{} has a field called message", words.name, variant.name);
            }
        }
        if let Metadata::Method(method) = one {
            let taken = ["close", "destroy", "equals", "hash_code", "to_string", "use"]
                .contains(&method.name.as_str());
            assert!(!taken, "{}::{} is a method of Kotlin's own", method.self_name, method.name);
        }
        if let Metadata::Constructor(constructor) = one {
            assert!(!constructor.is_async || constructor.name != "new", "an async constructor is not `new`");
        }
    }
}

fn type_name(one: &Metadata) -> Option<&str> {
    match one {
        Metadata::Object(object) => Some(&object.name),
        Metadata::Record(record) => Some(&record.name),
        Metadata::Enum(words) => Some(&words.name),
        Metadata::CustomType(custom) => Some(&custom.name),
        _ => None,
    }
}
