//! The real binaries, built once by the cargo that runs the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The daemon.
pub fn pitbossd() -> PathBuf {
    directory().join("pitbossd")
}

/// The console.
pub fn pitboss() -> PathBuf {
    directory().join("pitboss")
}

/// The top of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests live one level below the top")
}

/// From now on the programs in `directory` are used as they are, instead of built ones. Whether that was still
/// to be decided.
pub fn take_from(directory: &Path) -> bool {
    BUILT.set(directory.to_owned()).is_ok()
}

static BUILT: OnceLock<PathBuf> = OnceLock::new();

/// Cargo builds the binaries of a package for that package's own tests only, so this asks it for the
/// others' too, in the profile of the running test; when they are fresh it answers in a moment.
fn directory() -> &'static Path {
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().expect("a running test has a path");
        // target/<profile>/deps/e2e-<hash>, or target/<profile>/campaign
        let mut profile_dir = test.parent().expect("a program lies in a directory");
        if profile_dir.ends_with("deps") {
            profile_dir = profile_dir.parent().expect("deps lies in a profile");
        }
        let mut build = Command::new(env!("CARGO"));
        build
            .current_dir(project())
            .args(["build", "--quiet", "--workspace", "--bins"])
            .arg("--target-dir")
            .arg(
                profile_dir
                    .parent()
                    .expect("a profile lies in the target directory"),
            );
        if profile_dir.ends_with("release") {
            build.arg("--release");
        }
        let status = build
            .status()
            .expect("cargo runs the tests, so cargo can be run");
        assert!(
            status.success(),
            "cargo could not build the binaries under test"
        );
        profile_dir.to_owned()
    })
}
