//! The dependency list is the architecture: this reads the manifests and the `use` lines, and says so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use harness::binaries::project;
use syn::visit::Visit;

/// Who may know whom. What is not listed is forbidden.
const MAY_USE: [(&str, &str, &[&str]); 5] = [
    ("bandit", "shared/bandit", &[]),
    ("protocol", "shared/protocol", &["bandit"]),
    ("daemon", "daemon", &["protocol", "bandit"]),
    ("console", "console", &["protocol", "bandit"]),
    (
        "tests",
        "tests",
        &["console", "daemon", "protocol", "bandit"],
    ),
];

/// What would bring IO, async, a clock or a terminal into the pure core.
const NOT_PURE: [&str; 13] = [
    "tokio",
    "futures",
    "sqlx",
    "ratatui",
    "crossterm",
    "tarpc",
    "axum",
    "hyper",
    "rand",
    "rand_distr",
    "tracing",
    "directories",
    "rustix",
];

/// The top of the tree, and nothing else but dot files.
const TOP: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "experiments.example.toml",
    "daemon",
    "console",
    "shared",
    "tests",
];

#[test]
fn manifests_point_one_way() {
    for (name, directory, allowed) in MAY_USE {
        let used = dependencies(directory);
        for (other, ..) in MAY_USE {
            let legal = other == name || allowed.contains(&other);
            assert!(
                legal || !used.contains(other),
                "{directory}/Cargo.toml: {name} must not depend on {other}"
            );
        }
    }
    let used = dependencies("shared/bandit");
    for forbidden in NOT_PURE {
        assert!(
            !used.contains(forbidden),
            "shared/bandit/Cargo.toml: the core must not depend on {forbidden}"
        );
    }
}

#[test]
fn use_lines_point_one_way() {
    for (name, directory, allowed) in MAY_USE {
        for file in rust_files(&project().join(directory).join("src")) {
            let crates = crates_named_in(&file);
            for (other, ..) in MAY_USE {
                let legal = other == name || allowed.contains(&other);
                assert!(
                    legal || !crates.contains(other),
                    "{}: {name} must not use {other}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn the_core_has_no_clock_no_io_and_no_chance() {
    for file in rust_files(&project().join("shared/bandit/src")) {
        let text = std::fs::read_to_string(&file).expect("a listed file can be read");
        for forbidden in [
            "std::fs",
            "std::net",
            "std::io",
            "std::env",
            "std::thread",
            "Instant::now",
            "SystemTime",
            "Utc::now",
            "async fn",
            "HashMap",
            "HashSet",
        ] {
            assert!(
                !text.contains(forbidden),
                "{}: {forbidden} in the pure core",
                file.display()
            );
        }
    }
}

/// Behind a pooler a statement without a transaction, or one with a name, meets another session than it was made for.
#[test]
fn statements_are_made_in_one_place_and_connections_given_in_another() {
    let places = ["store/sql.rs", "store/pool.rs", "testing.rs", "fixture.rs"];
    let source = project().join("daemon/src");
    for file in rust_files(&source) {
        let path = file.strip_prefix(&source).expect("it is listed below it");
        let path = path.display().to_string();
        // The private server that is being started has no pooler before it.
        let apart = path.contains("tests") || path.starts_with("postgres/");
        if apart || places.iter().any(|place| path.ends_with(place)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a listed file can be read");
        let code = text.split("#[cfg(test)]\nmod tests {").next();
        for forbidden in [
            "sqlx::query",
            "pool.acquire()",
            "pool.begin()",
            "&self.pool",
            "&store.pool)",
        ] {
            assert!(
                !code.unwrap_or_default().contains(forbidden),
                "{path}: {forbidden}; use store::sql, and run_tx or session of the store"
            );
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (_, directory, _) in MAY_USE {
        for file in rust_files(&project().join(directory)) {
            let text = std::fs::read_to_string(&file).expect("a listed file can be read");
            assert!(
                text.starts_with("//! "),
                "{}: the first line must say what it is for",
                file.display()
            );
        }
    }
}

#[test]
fn nothing_else_lies_at_the_top() {
    let listed = std::process::Command::new("git")
        .args(["ls-files"])
        .current_dir(project())
        .output();
    let Ok(listed) = listed else { return };
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let top: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split('/').next())
        .collect();
    for entry in top {
        let agreed = TOP.contains(&entry) || entry == "migrations" || entry.starts_with('.');
        assert!(agreed, "{entry} does not belong at the top of the tree");
    }
}

fn dependencies(directory: &str) -> BTreeSet<String> {
    let path = project().join(directory).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).expect("every member has a manifest");
    let manifest: toml::Table = text.parse().expect("cargo has read it already");
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|section| manifest.get(section)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)
            .expect("members have sources")
            .flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(
        !found.is_empty(),
        "no sources under {}",
        directory.display()
    );
    found
}

/// The first segments of every path in a file: `use daemon::store` and `daemon::store::open()` alike. A module that
/// the file itself declares hides the crate of its name.
fn crates_named_in(file: &Path) -> BTreeSet<String> {
    #[derive(Default)]
    struct Heads(BTreeSet<String>);

    impl<'ast> Visit<'ast> for Heads {
        fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
            self.note(&item.tree);
        }

        fn visit_path(&mut self, path: &'ast syn::Path) {
            if path.segments.len() > 1 {
                self.0.insert(path.segments[0].ident.to_string());
            }
            syn::visit::visit_path(self, path);
        }
    }

    impl Heads {
        fn note(&mut self, tree: &syn::UseTree) {
            match tree {
                syn::UseTree::Path(path) => {
                    self.0.insert(path.ident.to_string());
                }
                syn::UseTree::Name(name) => {
                    self.0.insert(name.ident.to_string());
                }
                syn::UseTree::Rename(rename) => {
                    self.0.insert(rename.ident.to_string());
                }
                syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.note(tree)),
                syn::UseTree::Glob(_) => {}
            }
        }
    }

    let text = std::fs::read_to_string(file).expect("a listed file can be read");
    let parsed = syn::parse_file(&text).expect("the compiler has read it already");
    let mut heads = Heads::default();
    heads.visit_file(&parsed);
    for item in &parsed.items {
        if let syn::Item::Mod(module) = item {
            heads.0.remove(&module.ident.to_string());
        }
    }
    heads.0
}
